"""Fetch an image from a URL that a client sent, from the public internet only."""
