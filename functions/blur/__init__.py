"""The background-blur function: a photo in, the same photo with its background out of focus."""
