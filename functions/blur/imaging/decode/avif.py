"""An AVIF, whose decoder gets the memory that a picture of the size it tells can need.

The frames in a file need not keep to that size: 3.6 kB that claim 16 x 16 pixels made dav1d hold
1.9 GB, for one of 16,384 x 16,384 in 12 bits. Each frame may override what its sequence says
(AV1 Bitstream & Decoding Process Specification, 5.9.5), so that nothing short of a decoder finds
out. Where it is refused the memory, it gives up, and the file is broken like any other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL.AvifImagePlugin import AvifImageFile

from blur.errors import InvalidImageError

if TYPE_CHECKING:
    from PIL._imaging import PixelAccess

PIXEL_BYTES = 24
"""Of data for each pixel: a photo of 48 megapixels took 8 to 14, in 8 bits."""
ROOM_BYTES = 256_000_000
"""Of data besides: what every thread of the decoder has, up to 64 of them."""
_STATM = Path("/proc/self/statm")
_DATA = 5
"""The field of `statm` that counts the pages of data (proc(5))."""


class AvifFile(AvifImageFile):
    """Pillow's AVIF image, decoded within bounds."""

    def load(self) -> PixelAccess | None:
        """Decode.

        Raises:
            InvalidImageError: that would take more than a picture of this size.

        """
        try:
            with _held_to(PIXEL_BYTES * self.width * self.height + ROOM_BYTES):
                return super().load()
        except MemoryError as error:
            message = "The AVIF image asks for more memory than a picture of its size."
            raise InvalidImageError(message) from error


@contextmanager
def _held_to(more_bytes: int) -> Iterator[None]:
    """Let the process have at most so much more data than now, on Linux (getrlimit(2)).

    The bound is the whole process's. So it is there only where nobody else is at work: in the
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
