"""Requests to URLs that clients sent, on the public internet only: images and notifications."""
