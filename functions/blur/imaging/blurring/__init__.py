"""Blur a layer of a scene as a lens does."""
