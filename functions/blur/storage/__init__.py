"""Results out and photos in, where they are too large for a request or an answer."""
