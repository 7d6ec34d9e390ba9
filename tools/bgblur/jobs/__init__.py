"""`bgblur jobs`: send the photos of a folder to an API, which processes them as a job."""
