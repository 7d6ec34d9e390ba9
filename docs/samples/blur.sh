#!/bin/sh
# Blurs the background of photo.jpg with cURL (7.76 or later).
# -L fetches a large result from its link; --fail-with-body makes an error the exit code.
if curl --silent --show-error --fail-with-body -L \
  -H "ApiKey: YOUR_API_KEY" \
  -F "image=@photo.jpg" \
  -F "radius=12" \
  -o answer \
  "https://api.example.com/v2/rembg/blur/"
then
  mv answer blurred.png
else
  cat answer >&2
  rm -f answer
  exit 1
fi
