"""Pixels into a file."""
