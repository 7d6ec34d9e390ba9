"""Jobs in the DynamoDB table of the accounts: one transaction writes a row and its charge."""
