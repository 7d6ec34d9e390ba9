#!/bin/sh
# Blurs the background of photo.jpg with cURL (7.76 or later).
# -L fetches a large result from its link. --fail-with-body makes curl fail if the API returns an error.
if curl --silent --show-error --fail-with-body -L \
  -H "ApiKey: YOUR_API_KEY" \
  -F "image=@photo.jpg" \
  -F "radius=12" \
  -o blurred.part \
  "https://api.example.com/v2/rembg/blur/"
then
  mv -f blurred.part blurred.png
else
  cat blurred.part >&2 2>/dev/null
  rm -f blurred.part
  exit 1
fi
