"""Remove the background of a photo, as remove.bg's API does: crop, place, and fill behind it."""
