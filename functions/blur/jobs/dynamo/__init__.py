"""Jobs in the DynamoDB table of the accounts, so that a row and its charge are one transaction."""
