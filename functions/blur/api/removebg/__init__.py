"""Routes that are compatible with remove.bg's API: bodies, parameters and responses."""
