"""Bulk jobs: many photos with the same parameters, processed in the background."""
