"""Blur a layer of a scene as a lens blurs what is out of focus."""
