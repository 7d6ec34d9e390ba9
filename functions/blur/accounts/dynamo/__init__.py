"""DynamoDB, the distributed account store: most methods write once, to an account's item."""
