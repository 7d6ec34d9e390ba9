"""Divide a photo into foreground and background, and composite images."""
