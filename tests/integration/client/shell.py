"""Types and helpers for `bgblur blur` in a shell: arguments, photos and results."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

from events import make
from PIL import Image

Done = subprocess.CompletedProcess[bytes]
Run = Callable[..., Done]
RADIUS = ("-r", "9")
PHOTO = make.jpeg()
"""The photo of most tests."""


def is_picture(data: bytes, kind: str = "PNG") -> bool:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.format == kind


def fill(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(PHOTO)
