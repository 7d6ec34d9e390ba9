"""DynamoDB, the distributed account store: most steps are one write to an account's item."""
