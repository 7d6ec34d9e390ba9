"""`bgblur jobs`: send a folder of photos to an API, which processes it in the background."""
