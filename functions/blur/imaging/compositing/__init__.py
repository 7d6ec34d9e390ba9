"""Divide a photo into foreground and background, and put images together."""
