"""An AVIF, whose decoder gets the memory that a picture of its stated size can need.

The frames in a file need not keep to that size: 3.6 kB that claim 16 x 16 pixels made dav1d hold
1.9 GB, for one of 16,384 x 16,384 in 12 bits. Each frame can override what its sequence has
(AV1 Bitstream & Decoding Process Specification, 5.9.5), so that nothing short of a decoder finds
out. Where it is refused the memory, it gives up, and the file is broken like any other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL.AvifImagePlugin import AvifImageFile

from blur.errors import InvalidImageError
from blur.imaging.decode.boxes import (
    clean_aperture,
    read_bit_depth,
    read_items,
    read_nclx,
    with_alpha_sizes,
)
from blur.imaging.decode.colour_space import from_cicp
from blur.imaging.decode.source import Source, bgr_to_rgb
from blur.imaging.strips import row_strips

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL._imaging import PixelAccess

PIXEL_BYTES = 24
"""Of data for each pixel: a photo of 48 megapixels took 8 to 14, in 8 bits."""
EXTRA_BYTES = 256_000_000
"""Of data in addition: what every thread of the decoder has, up to 64 of them."""
_BYTE_BITS = 8
_STATM = Path("/proc/self/statm")
_DATA = 5
"""The field of `statm` that counts the pages of data (proc(5))."""


class AvifSource(Source):
    """An AVIF; its crop and colours are read from its boxes, which libavif leaves to callers."""

    def __init__(self, data: bytes) -> None:
        """Read the header."""
        self._data = with_alpha_sizes(data)
        super().__init__(AvifFile(BytesIO(self._data)))
        items = read_items(data)
        nclx = read_nclx(data, items)
        self.colour_space = None if nclx is None else from_cicp(*nclx)
        self.crop = clean_aperture(data, items, self.image.size)
        self._bits = read_bit_depth(data, items)

    def load_16bit(self) -> NDArray[np.uint16] | None:
        """Decode to 16 bits, by OpenCV, whose libavif keeps them."""
        if self._bits <= _BYTE_BITS:
            return None
        with _bounded(PIXEL_BYTES * self.image.width * self.image.height + EXTRA_BYTES):
            samples = cv2.imdecode(np.frombuffer(self._data, np.uint8), cv2.IMREAD_UNCHANGED)
        if samples is None or samples.dtype != np.uint16 or samples.shape[1::-1] != self.size:
            return None  # then Pillow finds what is wrong
        full = (1 << self._bits) - 1
        levels = (np.arange(1 << 16) * 65535 // full).clip(max=65535).astype(np.uint16)
        samples = bgr_to_rgb(samples)
        for rows in row_strips(samples.shape[0], samples.shape[1]):
            samples[rows] = levels[samples[rows]]
        return samples


class AvifFile(AvifImageFile):
    """Pillow's AVIF image, decoded within bounds."""

    def load(self) -> PixelAccess | None:
        """Decode.

        Raises:
            InvalidImageError: that would take more than a picture of this size.

        """
        try:
            with _bounded(PIXEL_BYTES * self.width * self.height + EXTRA_BYTES):
                return super().load()
        except MemoryError as error:
            message = "The AVIF image asks for more memory than a picture of its size."
            raise InvalidImageError(message) from error


@contextmanager
def _bounded(more_bytes: int) -> Iterator[None]:
    """Let the process have at most so much more data than now, on Linux (getrlimit(2)).

    The bound is the whole process's. So it is set only where nothing else runs: in the
    main thread, which is the only one that answers requests, and not in those of `bgblur blur`,
    whose files are the user's own.
    """
    if threading.current_thread() is not threading.main_thread() or not _STATM.exists():
        yield
        return
    import resource  # noqa: PLC0415 - Windows does not have this module

    pages = int(_STATM.read_text("ascii").split()[_DATA])
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = pages * resource.getpagesize() + more_bytes
    if soft != resource.RLIM_INFINITY:
        bound = min(bound, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
