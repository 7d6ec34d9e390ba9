"""The background-blur function: it returns a photo with its background blurred or removed."""
