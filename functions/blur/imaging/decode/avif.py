"""Decode AVIF with a memory limit that depends on the size in the file's header.

The frames in a file can be larger than the header states: a file of 3.6 kB that stated 16 x 16
pixels had a frame of 16,384 x 16,384 pixels with 12 bits, for which dav1d allocated 1.9 GB. A frame
can override the size of its sequence (AV1 Bitstream & Decoding Process Specification, 5.9.5), so
only a decoder can detect a larger frame. If the decoder cannot allocate the memory, decoding fails,
and the file is reported as broken.
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
from blur.imaging.decode.alpha_sizes import add_alpha_sizes
from blur.imaging.decode.boxes import clean_aperture, read_bit_depth, read_items, read_nclx
from blur.imaging.decode.colour_space import from_cicp
from blur.imaging.decode.source import Source, bgr_to_rgb
from blur.imaging.strips import row_strips

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL._imaging import PixelAccess

PIXEL_BYTES = 24
"""The memory limit in bytes per pixel of the size in the header. Decoding a photo of 48 megapixels
with 8 bits per sample took 8 to 14 bytes per pixel."""
EXTRA_BYTES = 256_000_000
"""The bytes that are added to the memory limit, for the data of up to 64 decoder threads."""
_BYTE_BITS = 8
_STATM = Path("/proc/self/statm")
_DATA_FIELD = 5
"""The index of the number of data pages in `statm`, counted from 0 (proc(5))."""


class AvifSource(Source):
    """An AVIF. This class reads the crop and the colour space, because libavif ignores them."""

    def __init__(self, data: bytes) -> None:
        """Read the header."""
        self._data = add_alpha_sizes(data)
        super().__init__(AvifFile(BytesIO(self._data)))
        items = read_items(data)
        nclx = read_nclx(data, items)
        self.colour_space = None if nclx is None else from_cicp(*nclx)
        self.crop = clean_aperture(data, items, self.image.size)
        self._bits = read_bit_depth(data, items)

    def load_16bit(self) -> NDArray[np.uint16] | None:
        """Decode with OpenCV to 16 bits; Pillow would decode to 8 bits.

        Return None for samples of 8 bits, or if OpenCV cannot decode the file.
        """
        if self._bits <= _BYTE_BITS:
            return None
        with _memory_limit(PIXEL_BYTES * self.image.width * self.image.height + EXTRA_BYTES):
            samples = cv2.imdecode(np.frombuffer(self._data, np.uint8), cv2.IMREAD_UNCHANGED)
        if samples is None or samples.dtype != np.uint16 or samples.shape[1::-1] != self.size:
            return None  # Pillow then decodes the file, or reports the error
        full_scale = (1 << self._bits) - 1
        levels = (np.arange(1 << 16) * 65535 // full_scale).clip(max=65535).astype(np.uint16)
        samples = bgr_to_rgb(samples)
        for rows in row_strips(samples.shape[0], samples.shape[1]):
            samples[rows] = levels[samples[rows]]
        return samples


class AvifFile(AvifImageFile):
    """Pillow's AVIF image, decoded with a memory limit."""

    def load(self) -> PixelAccess | None:
        """Decode the image.

        Raises:
            InvalidImageError: decoding needs more memory than an image of this size can need.

        """
        try:
            with _memory_limit(PIXEL_BYTES * self.width * self.height + EXTRA_BYTES):
                return super().load()
        except MemoryError as error:
            message = "Decoding the AVIF image needs too much memory for an image of its size."
            raise InvalidImageError(message) from error


@contextmanager
def _memory_limit(more_bytes: int) -> Iterator[None]:
    """Limit the growth of the process's data segment to `more_bytes`, on Linux (getrlimit(2)).

    The limit applies to the whole process, so only the main thread sets it: the main thread
    processes one request at a time. `bgblur blur` decodes the user's own files in other threads,
    without this limit.
    """
    if threading.current_thread() is not threading.main_thread() or not _STATM.exists():
        yield
        return
    import resource  # noqa: PLC0415 - Windows does not have this module

    pages = int(_STATM.read_text("ascii").split()[_DATA_FIELD])
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = pages * resource.getpagesize() + more_bytes
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
