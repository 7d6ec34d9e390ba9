"""A file into pixels: what it is, whether it may be decoded, and its colours in sRGB's range."""
