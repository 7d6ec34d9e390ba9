"""remove.bg's routes, so that its clients work with this service: bodies, parameters, responses."""
