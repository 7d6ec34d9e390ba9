"""The HTTP edge: proxy events in, the contract's answers out."""
