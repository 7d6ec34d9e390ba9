"""HTTP: converts proxy events to requests, and results to the responses of the contract."""
