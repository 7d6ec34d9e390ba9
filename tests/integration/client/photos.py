"""The photo of most tests."""

from __future__ import annotations

from events import make

PHOTO = make.jpeg()
