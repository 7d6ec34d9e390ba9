"""`bgblur blur`: blur files, on this machine or with an API."""
