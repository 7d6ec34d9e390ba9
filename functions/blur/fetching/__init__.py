"""Fetch images from clients' URLs, and post notifications to them: public internet only."""
