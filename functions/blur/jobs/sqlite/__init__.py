"""Jobs in the SQLite file of the accounts: one transaction writes a row and its charge."""
