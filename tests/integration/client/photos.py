"""The photo that most tests send."""

from __future__ import annotations

from events import make

PHOTO = make.jpeg()
