"""The background without the subject, spread as a lens spreads it."""
