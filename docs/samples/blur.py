"""Blurs the background of photo.jpg with Requests."""

import sys
from pathlib import Path

import requests

with Path("photo.jpg").open("rb") as photo:
    response = requests.post(
        "https://api.example.com/v2/rembg/blur/",
        headers={"ApiKey": "YOUR_API_KEY"},
        files={"image": photo},
        data={"radius": 12},
        timeout=60,
    )

if response.ok:
    Path("blurred.png").write_bytes(response.content)
else:
    sys.exit(response.text)
