"""One small photo in every supported format, truncated or with flipped bits."""

from __future__ import annotations

import random
import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pillow_heif
from PIL import Image
from PIL.ExifTags import IFD, Base
from tests.unit.imaging.decode import sample_files
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, noise, saved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

pillow_heif.register_heif_opener()  # so that Pillow can write HEIC

SIDE_PX = 96
HEAD_BYTES = 600
"""The size of a file's headers. In about half of the damaged files, only headers are damaged."""
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
"""The kinds of files by name: the mode of the pixels, Pillow's name of the format, and options
for writing."""


@cache
def sample(kind: str) -> bytes:
    """Return a photo of a kind in `KINDS`, with EXIF and a profile if the format has them."""
    mode, file_format, options = KINDS[kind]
    photo = Image.fromarray(astronaut()).resize((SIDE_PX, SIDE_PX))
    picture = photo.quantize(64) if mode == "P" else photo.convert(mode)
    more = {} if file_format in {"GIF", "BMP"} else {"exif": exif(nested=file_format != "TIFF")}
    if mode.startswith("RGB") and more:
        more["icc_profile"] = SRGB
    return saved(picture, file_format, **more, **options)


def exif(*, nested: bool) -> bytes:
    """Return EXIF data with fields that a camera writes."""
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    exif[Base.Make] = "Camera"
    if nested:  # the EXIF directory, which Pillow cannot write into some kinds of TIFF
        exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2024:01:01 00:00:00"
    return exif.tobytes()


@cache
def rare(kind: str) -> bytes:
    """Return a photo of a kind in `RARE`."""
    return RARE[kind]()


def _rare_tiff(planes: NDArray[np.generic], photometric: int, *, planar: bool) -> bytes:
    rows, columns, channels = planes.shape
    cells = np.moveaxis(planes, 2, 0) if planar else planes[np.newaxis]
    strips = [zlib.compress(cell.tobytes()) for cell in cells]
    starts = [8 + sum(map(len, strips[:place])) for place in range(len(strips))]
    return sample_files.tiff(
        {
            256: ("L", (columns,)),
            257: ("L", (rows,)),
            258: ("H", (8 * planes.dtype.itemsize,) * channels),
            259: ("H", (8,)),
            262: ("H", (photometric,)),
            273: ("L", tuple(starts)),
            277: ("H", (channels,)),
            279: ("L", tuple(map(len, strips))),
            284: ("H", (2 if planar else 1,)),
            338: ("H", (2,)),
            339: ("H", (3 if planes.dtype.kind == "f" else 1,) * channels),
        },
        b"".join(strips),
    )


def _with_alpha(kind: type[np.generic], channels: int = 4) -> NDArray[np.generic]:
    photo = astronaut(SIDE_PX, SIDE_PX)
    return np.dstack((*np.moveaxis(photo, 2, 0), *[photo[..., 0]] * (channels - 3))).astype(kind)


def _deep_png(chunk: bytes) -> bytes:
    samples = astronaut(SIDE_PX, SIDE_PX).astype(">u2") * 257
    return sample_files.deep_png(samples.tobytes(), (SIDE_PX, SIDE_PX), chunk)


def _rle_bmp() -> bytes:
    rows = b"".join(
        b"\0" + bytes((99,)) + bytes(row[:99]) + b"\0\0\0" for row in noise(40, 99)[..., 0]
    )
    head = struct.pack("<L2l2H6L", 40, 97, 40, 1, 8, 1, 0, 0, 0, 0, 0)
    start = 14 + len(head) + 1024
    return (
        b"BM"
        + struct.pack("<L2HL", start + len(rows), 0, 0, start)
        + head
        + noise(1, 342).tobytes()[:1024]
        + rows
    )


def _masked_bmp() -> bytes:
    head = struct.pack("<L2l2H6L", 40, 40, 40, 1, 16, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<3L", 0xF00, 0xF0, 0xF)
    start = 14 + len(head) + len(masks)
    return (
        b"BM"
        + struct.pack("<L2HL", start + 3200, 0, 0, start)
        + head
        + masks
        + noise(40, 40).tobytes()[:3200]
    )


RARE: dict[str, Callable[[], bytes]] = {
    "tiff with 16 bits, in planes": lambda: _rare_tiff(_with_alpha(np.uint16), 2, planar=True),
    "cmyk tiff with alpha": lambda: _rare_tiff(_with_alpha(np.uint8, 5), 5, planar=False),
    "floating-point tiff": lambda: _rare_tiff(_with_alpha(np.float32), 2, planar=False),
    "png in PQ": lambda: _deep_png(sample_files.png_chunk(b"cICP", bytes((9, 16, 0, 1)))),
    "png in linear light": lambda: _deep_png(
        sample_files.png_chunk(b"gAMA", bytes((0, 1, 134, 160)))
    ),
    "rle bmp": _rle_bmp,
    "bmp with masks": _masked_bmp,
    "heic in HLG": lambda: sample_files.with_nclx(
        saved(Image.fromarray(astronaut(SIDE_PX, SIDE_PX)), "HEIF", quality=60), 9, 18
    ),
    "avif with alpha, in PQ": lambda: sample_files.with_nclx(
        saved(Image.fromarray(_with_alpha(np.uint8)), "AVIF", quality=60), 9, 16
    ),
    "jpeg without its end marker": lambda: sample("jpeg")[:-2],
}
"""Functions that make photos of rare kinds, by the name of the kind."""


def truncated(percents: range) -> Iterator[tuple[str, bytes]]:
    """Yield, for each kind and percentage, a file truncated to this percentage of its length."""
    for kind in KINDS:
        whole = sample(kind)
        for percent in percents:
            yield f"{percent} % of a {kind}", whole[: len(whole) * percent // 100]


def with_flipped_bits(
    mutants: int, kinds: Sequence[str] = tuple(KINDS), make: Callable[[str], bytes] = sample
) -> Iterator[tuple[str, bytes]]:
    """Yield `mutants` damaged files, of each kind in turn.

    The number of a file decides which of its bits are flipped.
    """
    for number in range(mutants):
        kind, chance = kinds[number % len(kinds)], random.Random(number)
        mutant = bytearray(make(kind))
        reach = chance.choice([min(HEAD_BYTES, len(mutant)), len(mutant)])
        for _ in range(chance.randint(1, MOST_BITS)):
            mutant[chance.randrange(reach)] ^= 1 << chance.randrange(8)
        yield f"mutant {number}, a {kind}", bytes(mutant)
