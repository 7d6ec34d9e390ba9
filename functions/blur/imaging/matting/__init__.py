"""Pixels into a matte: the network, and the edges that it is unsure of."""
