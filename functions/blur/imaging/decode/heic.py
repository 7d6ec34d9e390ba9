"""Decode HEIC after hiding the metadata from the decoder.

libheif copies the metadata for each image in a file. For a file of 3 MB with 300 images that share
one block of EXIF data, libheif allocated 1.8 GB. The orientation is a property (ISO/IEC 23008-12,
6.5.10), so the EXIF data is never needed.
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
"""The maximum product of the number of items and the size of the `meta` boxes, which describe the
items. The product is 30 million for a file with 500 tiles."""
MAX_READ_BYTES = 500_000_000
"""The maximum product of the file's size in bytes and the number of items that are not images: for
each such item, libheif can read the whole file."""
_NOT_AN_IMAGE = re.compile(rb"infe(\x02.{7}|\x03.{9})(?!hvc1|grid|iden|iovl)", re.DOTALL)
"""The entry of an item that is not an image. The item's type comes after the entry's version and
flags, and the item's id and protection index (ISO/IEC 14496-12, 8.11.6)."""
_METADATA = {b"Exif", b"mime", b"uri "}
"""The types of items that hold metadata (ISO/IEC 14496-12, 8.11.6)."""
_CONTENT_DESCRIPTION = b"cdsc"
"""The reference from metadata to an image (ISO/IEC 23008-12, 6.3)."""
_FREE = b"free"


class HeicSource(Source):
    """A HEIC file. libheif decodes the image, turns it upright and crops it."""

    def __init__(self, data: bytes) -> None:
        """Read the header.

        Raises:
            InvalidImageError: the file has too many items.

        """
        # Imported here and not at the top, where the import would take a tenth of a cold start.
        from pillow_heif import HeifImageFile  # noqa: PLC0415

        self._data = strip_metadata(data)
        open_heif: Callable[[BytesIO], ImageFile] = HeifImageFile
        super().__init__(open_heif(BytesIO(self._data)))
        nclx = read_nclx(data, read_items(data))
        self.colour_space = None if nclx is None else from_cicp(*nclx)

    @property
    def orientation(self) -> int:
        """Always 1, because libheif turns the image upright."""
        return 1

    def load_16bit(self) -> NDArray[np.uint16] | None:
        """Return the samples, (H, W, C), with 16 bits; None if the file has only 8 bits."""
        from pillow_heif import open_heif  # noqa: PLC0415

        file = open_heif(BytesIO(self._data), convert_hdr_to_8bit=False, hdr_to_16bit=True)
        samples = np.asarray(file[file.primary_index])
        return samples if samples.dtype == np.uint16 else None


def strip_metadata(data: bytes) -> bytes:
    """Return the file with another type for its EXIF and XMP items, so that libheif ignores them.

    Raises:
        InvalidImageError: the file has so many items that libheif would copy or read too much.

    """
    metas = [box for box in boxes(data) if box.kind == b"meta"]
    descriptions = [data[box.start : box.end] for box in metas]
    copied_bytes = sum(map(len, descriptions)) * sum(box.count(b"infe") for box in descriptions)
    read_bytes = len(data) * sum(len(_NOT_AN_IMAGE.findall(box)) for box in descriptions)
    if copied_bytes > MAX_COPIED_BYTES or read_bytes > MAX_READ_BYTES:
        message = "The HEIC image has too many items."
        raise InvalidImageError(message)
    cleaned = bytearray(data)
    for meta in metas:
        items = read_meta_items(data, meta)
        offsets = [
            items.kind_offsets[item] for item, kind in items.kinds.items() if kind in _METADATA
        ]
        offsets += [
            box.start + 4 for box, _, _ in items.references if box.kind == _CONTENT_DESCRIPTION
        ]
        for offset in offsets:
            cleaned[offset : offset + 4] = _FREE
    return bytes(cleaned)
