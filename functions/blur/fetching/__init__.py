"""Requests to clients' URLs on the public internet: fetching images, and posting notifications."""
