"""DynamoDB, the distributed store of accounts: one item for an account, one write for a step."""
