"""Storage for results and uploads that are too large for a response or a request."""
