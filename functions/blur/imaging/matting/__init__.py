"""Compute the matte: run the network, and refine its map at soft edges."""
