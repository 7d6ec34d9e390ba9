"""SQLite, the embedded account store: one file, and one transaction for each method."""
