"""Estimate from the matte how far out of focus each row of a photo is."""
