"""A photo taken apart by its matte, subject from background, and put together again."""
