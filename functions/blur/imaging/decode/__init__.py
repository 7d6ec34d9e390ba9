"""Decode files to pixels: detect the format, check the limits, convert the colours."""
