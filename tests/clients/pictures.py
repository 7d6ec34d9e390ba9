"""Opens the results that a client gets, and checks whether they are cutouts."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def picture(data: bytes) -> Image.Image:
    """Decode a picture completely."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


def opened(path: Path) -> Image.Image:
    return picture(path.read_bytes())


def assembled(archive: bytes) -> Image.Image:
    """Build the picture from a ZIP archive as the official clients do: colours plus alpha."""
    with zipfile.ZipFile(io.BytesIO(archive)) as entries:
        assert sorted(entries.namelist()) == ["alpha.png", "color.jpg"]
        colour, alpha = (picture(entries.read(name)) for name in ("color.jpg", "alpha.png"))
    assert (colour.format, alpha.format, alpha.mode) == ("JPEG", "PNG", "L")
    assert colour.size == alpha.size
    result = colour.convert("RGB")
    result.putalpha(alpha)
    return result


def is_cut_out(image: Image.Image) -> bool:
    """Return whether the portrait's background is transparent and its subject is opaque."""
    if image.mode != "RGBA":
        return False
    alpha = np.asarray(image.getchannel("A"))
    rows, columns = alpha.shape
    corner = alpha[: rows // 10, : columns // 20]
    middle = alpha[rows * 7 // 10 :, columns * 2 // 5 : columns // 2]
    return bool(corner.mean() < 30 and middle.mean() > 225)
