"""Jobs in the SQLite file of the accounts, so that a row and its charge are one transaction."""
