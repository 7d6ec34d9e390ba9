"""Makes TIFF files from samples, for tests."""

from __future__ import annotations

import zlib

import numpy as np
from tests.unit.imaging.decode.sample_files import tiff


def page(  # noqa: PLR0913 - each parameter is a property of a TIFF
    samples: np.ndarray,
    photometric: int,
    *more: tuple[int, str, tuple[int, ...]],
    order: str = "<",
    compression: int = 1,
    rows_per_strip: int = 0,
    planar: bool = False,
    predictor: bool = False,
) -> bytes:
    """Return a TIFF of samples, (H, W, C), in strips; `more` are entries (tag, type, values)."""
    height, width, channels = samples.shape
    rows_per_strip = rows_per_strip or height
    bits = samples.dtype.itemsize * 8
    planes = np.moveaxis(samples, 2, 0)[..., np.newaxis] if planar else samples[np.newaxis]
    strips = []
    for plane in planes:
        stored = plane
        if predictor:
            stored = np.diff(plane, axis=1, prepend=np.zeros_like(plane[:, :1]))
        for top in range(0, height, rows_per_strip):
            raw = stored[top : top + rows_per_strip]
            packed = raw.astype(raw.dtype.newbyteorder(order)).tobytes()
            strips.append(zlib.compress(packed) if compression == 8 else packed)
    starts = np.cumsum([8] + [len(strip) for strip in strips])[:-1]
    entries: dict[int, tuple[str, tuple[int, ...] | bytes]] = {
        256: ("L", (width,)),
        257: ("L", (height,)),
        258: ("H", (bits,) * channels),
        259: ("H", (compression,)),
        262: ("H", (photometric,)),
        273: ("L", tuple(map(int, starts))),
        277: ("H", (channels,)),
        278: ("L", (rows_per_strip,)),
        279: ("L", tuple(map(len, strips))),
        284: ("H", (2 if planar else 1,)),
    }
    if predictor:
        entries[317] = ("H", (2,))
    if samples.dtype.kind == "f":
        entries[339] = ("H", (3,) * channels)
    entries |= {tag: (code, values) for tag, code, values in more}
    return tiff(entries, b"".join(strips), order)


def to_16bit(image: np.ndarray) -> np.ndarray:
    """Convert 8-bit samples to 16 bits."""
    return image.astype(np.uint16) * 257
