"""Encode pixels as a file."""
