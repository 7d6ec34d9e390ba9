"""Storage for large uploads and results, and for the photos and results of bulk jobs."""
