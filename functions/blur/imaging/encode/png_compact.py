"""Filter and compress the rows of a PNG so that the file is small.

Each group of rows has the filter that `png_filters.choose_filter` selects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from zlib_ng import zlib_ng

from blur.imaging.encode.png_filters import (
    FILTERS,
    choose_filter,
    find_neighbours,
    middle_rows,
    paeth,
)
from blur.imaging.strips import slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import ImageU8

GROUP_ROWS = 32
"""The number of successive rows that have the same filter."""
STRIP_BYTES = 1 << 20
"""The approximate size of a strip before compression. Some strips take much longer than others, so
small strips divide the work better between threads."""
MEMORY_LEVEL = 9
"""The value of zlib-ng's parameter `memLevel`. With the maximum, 9, deflate blocks are largest."""


class Deflater(NamedTuple):
    """The arguments with which zlib-ng compresses data."""

    level: int
    strategy: int = zlib_ng.Z_DEFAULT_STRATEGY
    window_bits: int = 15

    def deflate(self, data: NDArray[np.uint8]) -> bytes:
        """Return the data as a part of a raw deflate stream; the part refers to no other part."""
        compressor = zlib_ng.compressobj(
            self.level, zlib_ng.DEFLATED, -self.window_bits, MEMORY_LEVEL, self.strategy
        )
        return compressor.compress(data) + compressor.flush(zlib_ng.Z_FULL_FLUSH)


DEFLATERS = ((1 << 20, Deflater(7)), (1 << 22, Deflater(6)), (1 << 62, Deflater(4)))
"""Pairs of a number of pixels, and the deflater for images with at most this many pixels. Each
deflater takes about 1.5 times as long as the next deflater in the list, and saves 1 or 2 %."""
SMALLEST_DEFLATER = Deflater(8)
"""The deflater for `smallest`. Compared with level 5, it takes six times as long for 10 megapixels,
and the file is 6 % smaller. Level 9 is slower than this deflater and makes larger files."""
GRAIN_DEFLATER = Deflater(7, zlib_ng.Z_FILTERED, 13)
"""The deflater for images with grain. It uses only near matches of more than 5 bytes, because
shorter matches take more bits than literals in such images. This saves 3 or 4 %, in the same time
as level 6. For images without grain, the files would be 3 to 10 % larger."""
MAX_GRAIN_PIXELS = 1 << 22
"""For images with more pixels, `GRAIN_DEFLATER` takes a long time, so only `smallest` allows it."""
MIN_GRAIN_SAVING = 0.02
"""An image has grain if, for a sample of its rows, `GRAIN_DEFLATER` saves more than this share of
the bytes that the usual deflater needs."""
BANDS = 8
"""The number of bands in the sample of rows; a band has `png_filters.SAMPLE_ROWS` rows."""


class CompactStrips:
    """Divides an image, (H, W, C), into strips of rows and compresses them."""

    def __init__(self, image: ImageU8, *, smallest: bool = False) -> None:
        """Choose the deflater for all strips; `smallest` also allows slow deflaters."""
        self._image = image
        groups = max(1, STRIP_BYTES // image[0].size // GROUP_ROWS)
        self.rows = slices(image.shape[0], GROUP_ROWS * groups)
        self.deflater = _choose_deflater(image, smallest=smallest)

    def deflate(self, rows: slice) -> tuple[NDArray[np.uint8], bytes]:
        """Return the filtered rows of a strip, (h, 1 + W * C), and their deflated data."""
        filtered = np.empty((rows.stop - rows.start, 1 + self._image[0].size), np.uint8)
        for part in slices(len(filtered), GROUP_ROWS):
            group = slice(rows.start + part.start, rows.start + part.stop)
            neighbours = find_neighbours(self._image, group)
            best = choose_filter(neighbours)
            filtered[part, 0] = best
            filtered[part, 1:] = FILTERS[best](neighbours)
        return filtered, self.deflater.deflate(filtered)


def _choose_deflater(image: ImageU8, *, smallest: bool) -> Deflater:
    """Return `GRAIN_DEFLATER` if the image has grain, and otherwise the deflater for its size.

    With `smallest`, an image without grain gets `SMALLEST_DEFLATER` instead. Without `smallest`, an
    image with more than `MAX_GRAIN_PIXELS` gets the deflater for its size, even if it has grain.
    """
    height, pixels = image.shape[0], image.shape[0] * image.shape[1]
    usual = next(deflater for max_pixels, deflater in DEFLATERS if pixels <= max_pixels)
    usual = SMALLEST_DEFLATER if smallest else usual
    if pixels > MAX_GRAIN_PIXELS and not smallest:
        return usual
    bands = [middle_rows(part) for part in slices(height, -(-height // BANDS))]
    sample = np.concatenate([paeth(find_neighbours(image, band)) for band in bands])
    limit = (1 - MIN_GRAIN_SAVING) * len(usual.deflate(sample))
    return GRAIN_DEFLATER if len(GRAIN_DEFLATER.deflate(sample)) < limit else usual
