"""Remove a photo's background as remove.bg's API does: crop, place, and draw a new background."""
