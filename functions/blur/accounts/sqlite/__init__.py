"""SQLite, the embedded store of accounts: one file, one transaction a step."""
