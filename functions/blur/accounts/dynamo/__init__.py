"""DynamoDB, the distributed account store: one item per account, one write per step."""
