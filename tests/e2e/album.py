"""A folder of small photos, some of which cannot be processed, and the expected results."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from events import make
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

GOOD, BROKEN, EMPTY = 184, 8, 8
COLUMNS = 16
SIDE_PX = 128


@dataclass(frozen=True, slots=True)
class Album:
    """A folder of photos, and the expected size or error code of each result."""

    folder: Path
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The sizes of the photos with a result. All sizes differ, so a wrong result is detected."""
    codes: dict[str, str] = field(default_factory=dict)
    """The error codes of the photos without a result."""

    @property
    def sources(self) -> list[str]:
        """The names of all photos."""
        return [*self.sizes, *self.codes]


def write_album(folder: Path) -> Album:
    """Write 200 photos: most have a subject, the others are broken or have no subject."""
    album = Album(folder)
    photo = make.jpeg()
    with Image.open(io.BytesIO(photo)) as sample:
        for number in range(GOOD):
            size = SIDE_PX + number % COLUMNS, SIDE_PX + number // COLUMNS
            path = f"good/{number} ü+&.jpg"
            album.sizes[path] = size
            _write(folder / path, _jpeg(sample.resize(size)))
    for number in range(BROKEN):
        path = f"broken {number}.jpg"
        album.codes[path] = "invalid_image"
        _write(folder / path, photo[: 500 + number])
    for number in range(EMPTY):
        path = f"flat/{number}.png"
        album.codes[path] = "no_subject"
        _write(folder / path, make.flat())
    return album


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    return buffer.getvalue()
