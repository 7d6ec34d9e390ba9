"""`bgblur blur`: photos from files, here or by way of an API."""
