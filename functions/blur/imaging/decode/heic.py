"""A HEIC: its metadata are taken out before decoding, and the clean aperture is its decoder's.

libheif copies metadata for each image of a file. A file of 3 MB whose 300 images shared one piece
of EXIF data made it hold 1.8 GB. The picture is turned by a property of its own (ISO/IEC 23008-12,
6.5.10), so its EXIF data are never needed.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from blur.errors import InvalidImageError
from blur.imaging.decode.boxes import boxes, read_items, read_meta_items, read_nclx
from blur.imaging.decode.colour_space import from_cicp
from blur.imaging.decode.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

MAX_COPIED_BYTES = 64_000_000
"""Items times the bytes in which they are described: a photo of 500 tiles comes to 30 million."""
MAX_READ_BYTES = 500_000_000
"""Items that are not images times the bytes of the file, each of which can be read for each."""
_NO_IMAGE = re.compile(rb"infe(\x02.{7}|\x03.{9})(?!hvc1|grid|iden|iovl)", re.DOTALL)
"""Where an item is described whose type, behind version, flags, number and protection, is not
that of an image (ISO/IEC 14496-12, 8.11.6)."""
_METADATA = {b"Exif", b"mime", b"uri "}
"""The types of items that hold metadata (ISO/IEC 14496-12, 8.11.6)."""
_DESCRIBES = b"cdsc"
"""The reference from metadata to an image (ISO/IEC 23008-12, 6.3)."""
_NOTHING = b"free"


class HeicSource(Source):
    """A HEIC, opened by libheif, which also turns and crops it."""

    def __init__(self, data: bytes) -> None:
        """Read the header.

        Raises:
            InvalidImageError: the file describes too many items.

        """
        # Imported with the first HEIC photo, which few cold starts see: it takes a tenth of one.
        from pillow_heif import HeifImageFile  # noqa: PLC0415

        self._data = strip_metadata(data)
        open_heif: Callable[[BytesIO], ImageFile] = HeifImageFile
        super().__init__(open_heif(BytesIO(self._data)))
        nclx = read_nclx(data, read_items(data))
        self.colour_space = None if nclx is None else from_cicp(*nclx)

    @property
    def orientation(self) -> int:
        """1: the picture is upright already."""
        return 1

    def load_16bit(self) -> NDArray[np.uint16] | None:
        """Decode to 16 bits."""
        from pillow_heif import open_heif  # noqa: PLC0415

        file = open_heif(BytesIO(self._data), convert_hdr_to_8bit=False, hdr_to_16bit=True)
        samples = np.asarray(file[file.primary_index])
        return samples if samples.dtype == np.uint16 else None


def strip_metadata(data: bytes) -> bytes:
    """Return the file with its EXIF and XMP items made into ones that no reader knows.

    Raises:
        InvalidImageError: what else describes the images would be copied too often.

    """
    metas = [box for box in boxes(data) if box.kind == b"meta"]
    described = [data[box.start : box.end] for box in metas]
    copied = sum(map(len, described)) * sum(box.count(b"infe") for box in described)
    read = len(data) * sum(len(_NO_IMAGE.findall(box)) for box in described)
    if copied > MAX_COPIED_BYTES or read > MAX_READ_BYTES:
        message = "The HEIC image has too many items."
        raise InvalidImageError(message)
    cleaned = bytearray(data)
    for meta in metas:
        items = read_meta_items(data, meta)
        places = [
            items.kind_places[item] for item, kind in items.kinds.items() if kind in _METADATA
        ]
        places += [box.start + 4 for box, _, _ in items.references if box.kind == _DESCRIBES]
        for place in places:
            cleaned[place : place + 4] = _NOTHING
    return bytes(cleaned)
