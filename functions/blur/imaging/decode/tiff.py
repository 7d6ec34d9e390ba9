"""A TIFF: which of its pages is the picture, what decodes it, and camera raw files inside TIFF."""

from __future__ import annotations

from io import BytesIO

from PIL import ImagePalette
from PIL.TiffImagePlugin import COMPRESSION_INFO, OPEN_INFO, TiffImageFile

from blur.imaging.arrays import OPAQUE
from blur.imaging.decode import tiff_directory as tags
from blur.imaging.decode.limits import check_tiff
from blur.imaging.decode.source import Source
from blur.imaging.decode.tiff_directory import (
    Directory,
    byte_order,
    extract_page,
    is_full_page,
    is_reduced_page,
    number,
    numbers,
    read_pages,
)
from blur.imaging.decode.tiff_samples import LOSSLESS, UNSIGNED, Layout, SamplesSource
from blur.imaging.decode.unsupported import camera_raw_error, unsupported_error

_NOT_READ = {
    34712: "JPEG 2000",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34887: "LERC",
    34892: "lossy DNG",
    34661: "JBIG",
    22610: "JPEG XR",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_RAW_PHOTOMETRICS = (32803, 34892)
"""Colour filter array and LinearRaw (DNG 1.7, chapter 2)."""
_RAW_COMPRESSIONS = (32767, 32770, 34713, 65000, 65535)
"""Sony's, Samsung's, Nikon's, Kodak's and Pentax's."""
_PHASE_ONE_MAKES = (b"Phase One", b"Leaf")
_PHASE_ONE = (b"IIIITwaR", b"IIIICwaR", b"MMMMRawT", b"MMMMRawC")
_BIG_ENDIAN_BIGTIFF = b"MM\0+"
_BYTE_BITS = 8
_LONG_BITS = 32
_WIDE_BITS = (16, _LONG_BITS)
_UNSCALED = 12
"""Bits that Pillow leaves as they are in a mode of 16."""
_PAGE_BYTES_AT = 8


class TiffSource(Source):
    """A TIFF that Pillow reads, and turns upright as it loads it."""

    def __init__(self, data: bytes, directory: Directory) -> None:
        """Read the header."""
        image = TiffImageFile(BytesIO(data))
        super().__init__(image)
        image.info.pop("xmp", None)  # where Pillow looks for an orientation if EXIF has none
        colours = numbers(directory, tags.COLOUR_MAP)
        if image.mode == "P" and colours and max(colours) <= OPAQUE:  # 8 bits in place of 16
            image.palette = ImagePalette.raw("RGB;L", bytes(colours))

    @property
    def orientation(self) -> int:
        """1: the picture is upright already."""
        return 1


def open_tiff(data: bytes) -> Source:
    """Return the file's full page with what decodes it.

    Raises:
        InvalidImageError: it asks for too much, or is of a kind that is not read.

    """
    check_tiff(data)
    found = list(read_pages(data))
    if _is_camera_raw(data, found):
        raise camera_raw_error()
    first = found[0] if found else {}
    page = next(filter(is_full_page, found), first) if is_reduced_page(first) else first
    if page is not first or data.startswith(_BIG_ENDIAN_BIGTIFF):
        data = extract_page(data, page)
        check_tiff(data)
    compression = number(page, tags.COMPRESSION, 1)
    if compression in _NOT_READ:
        kind = f"TIFF with {_NOT_READ[compression]} compression"
        raise unsupported_error(kind, "TIFF with LZW or Deflate compression")
    if compression not in COMPRESSION_INFO and compression not in LOSSLESS:
        kind = f"TIFF with compression {compression}"
        raise unsupported_error(kind, "TIFF with LZW or Deflate compression")
    layout = Layout.of(page)
    if layout is None or _is_for_pillow(page, layout, byte_order(data)):
        return TiffSource(data, page)
    if layout.is_unpacked and number(page, tags.FILL_ORDER, 1) == 1:
        return SamplesSource(data, byte_order(data), page, layout)
    if layout.bits not in {1, _BYTE_BITS} or (layout.bits != 1 and compression in LOSSLESS):
        raise unsupported_error(layout.name)
    return TiffSource(data, page)


def _is_for_pillow(page: Directory, layout: Layout, order: str) -> bool:
    """Return whether Pillow knows this layout, and reads it rightly."""
    prefix = b"II" if order == "<" else b"MM"
    key = (
        prefix,
        layout.photometric,
        (layout.format,),
        number(page, tags.FILL_ORDER, 1),
        (layout.bits,) * layout.samples,
        layout.extras,
    )
    if key not in OPEN_INFO:
        return False
    if layout.compression not in LOSSLESS:
        return True
    is_planar = layout.is_planar and layout.samples > 1
    is_negative = layout.photometric == 0 and layout.bits in _WIDE_BITS
    is_unsigned_long = layout.format == UNSIGNED and layout.bits == _LONG_BITS  # read as signed
    return not (
        is_negative
        or is_unsigned_long
        or (is_planar and layout.bits != _BYTE_BITS)
        or layout.bits == _UNSCALED
    )


def _is_camera_raw(data: bytes, found: list[Directory]) -> bool:
    if data.startswith((b"CR", *_PHASE_ONE), _PAGE_BYTES_AT):
        return True
    is_thumbnail = bool(found) and is_reduced_page(found[0]) and not any(map(is_full_page, found))
    make = bytes(found[0].get(tags.MAKE, b"")) if found else b""
    if make.startswith(_PHASE_ONE_MAKES) and any(mark in data for mark in _PHASE_ONE):
        return True
    return (is_thumbnail and bool(make)) or any(
        tags.DNG_VERSION in page
        or number(page, tags.PHOTOMETRIC) in _RAW_PHOTOMETRICS
        or number(page, tags.COMPRESSION) in _RAW_COMPRESSIONS
        for page in found
    )
