"""HTTP: converts proxy events to requests, and results to the documented responses."""
