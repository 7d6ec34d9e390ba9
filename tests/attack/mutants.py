"""One small photo in every format that is read, and what is made of it: cut, and bits turned."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import pillow_heif
from PIL import Image
from PIL.ExifTags import IFD, Base
from tests.unit.imaging.pictures import astronaut, saved
from tests.unit.imaging.profiles import SRGB

if TYPE_CHECKING:
    from collections.abc import Iterator

pillow_heif.register_heif_opener()  # which also writes HEIC

SIDE_PX = 96
HEAD_BYTES = 600
"""Where a file's headers are: half of the bits are turned there."""
MOST_BITS = 8
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("RGB", "JPEG", {"quality": 85}),
    "progressive jpeg": ("RGB", "JPEG", {"progressive": True}),
    "cmyk jpeg": ("CMYK", "JPEG", {}),
    "png": ("RGB", "PNG", {}),
    "png with alpha": ("RGBA", "PNG", {}),
    "palette png": ("P", "PNG", {"transparency": 3}),
    "webp": ("RGB", "WEBP", {"quality": 80}),
    "lossless webp": ("RGBA", "WEBP", {"lossless": True}),
    "gif": ("P", "GIF", {}),
    "bmp": ("RGB", "BMP", {}),
    "tiff": ("RGB", "TIFF", {}),
    "lzw tiff": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    "deflate tiff": ("RGBA", "TIFF", {"compression": "tiff_adobe_deflate"}),
    "jpeg tiff": ("RGB", "TIFF", {"compression": "jpeg"}),
    "heic": ("RGB", "HEIF", {"quality": 60}),
    "avif": ("RGB", "AVIF", {"quality": 60}),
}
"""By its name: the mode of the pixels, Pillow's name of the format, and what it writes it with."""


@cache
def sample(kind: str) -> bytes:
    """Return the photo in one of `KINDS`, with EXIF and a profile where the format has them."""
    mode, file_format, options = KINDS[kind]
    photo = Image.fromarray(astronaut()).resize((SIDE_PX, SIDE_PX))
    picture = photo.quantize(64) if mode == "P" else photo.convert(mode)
    more = {} if file_format in {"GIF", "BMP"} else {"exif": exif(nested=file_format != "TIFF")}
    if mode.startswith("RGB") and more:
        more["icc_profile"] = SRGB
    return saved(picture, file_format, **more, **options)


def exif(*, nested: bool) -> bytes:
    """Return EXIF data that says something of the photo, as a camera does."""
    made = Image.Exif()
    made[Base.Orientation] = 6
    made[Base.Make] = "Camera"
    if nested:  # a directory within the directory, which Pillow cannot write into every TIFF
        made.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2024:01:01 00:00:00"
    return made.tobytes()


def cut(percents: range) -> Iterator[tuple[str, bytes]]:
    """Cut a file of every kind at these hundredths of its length."""
    for kind in KINDS:
        whole = sample(kind)
        for percent in percents:
            yield f"{percent} % of a {kind}", whole[: len(whole) * percent // 100]


def turned(mutants: int) -> Iterator[tuple[str, bytes]]:
    """Turn one to a few bits of files of every kind in turn, the same for the same number."""
    kinds = list(KINDS)
    for number in range(mutants):
        kind, chance = kinds[number % len(kinds)], random.Random(number)
        mutant = bytearray(sample(kind))
        reach = chance.choice([min(HEAD_BYTES, len(mutant)), len(mutant)])
        for _ in range(chance.randint(1, MOST_BITS)):
            mutant[chance.randrange(reach)] ^= 1 << chance.randrange(8)
        yield f"mutant {number}, a {kind}", bytes(mutant)
