"""DynamoDB, the distributed store of accounts: one item an account, one write a step."""
