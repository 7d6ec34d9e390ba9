"""SQLite, the embedded store of accounts: one file, and one transaction for each method."""
