"""Open a TIFF: select the page and the reader, and recognise camera raw files inside TIFF."""

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
from blur.imaging.decode.tiff_layout import BYTE_BITS, LONG_BITS, LOSSLESS, UNSIGNED, TiffLayout
from blur.imaging.decode.tiff_samples import SamplesSource
from blur.imaging.decode.unsupported import camera_raw_error, unsupported_error

_UNSUPPORTED_COMPRESSIONS = {
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
"""The photometric interpretations of raw images: colour filter array and LinearRaw (DNG 1.7,
chapter 2)."""
_RAW_COMPRESSIONS = (32767, 32770, 34713, 65000, 65535)
"""The compressions of raw files by Sony, Samsung, Nikon, Kodak and Pentax."""
_PHASE_ONE_MAKES = (b"Phase One", b"Leaf")
_PHASE_ONE_SIGNATURES = (b"IIIITwaR", b"IIIICwaR", b"MMMMRawT", b"MMMMRawC")
_BIG_ENDIAN_BIGTIFF = b"MM\0+"
_WIDE_BITS = (16, LONG_BITS)
_UNSCALED_BITS = 12
"""Pillow reads samples of this depth into 16 bits without scaling them."""
_SIGNATURE_OFFSET = 8


class TiffSource(Source):
    """A TIFF that Pillow reads and turns upright when it loads the pixels."""

    def __init__(self, data: bytes, directory: Directory) -> None:
        """Read the header."""
        image = TiffImageFile(BytesIO(data))
        super().__init__(image)
        image.info.pop("xmp", None)  # otherwise, Pillow could take the orientation from XMP
        palette = numbers(directory, tags.COLOUR_MAP)
        if image.mode == "P" and palette and max(palette) <= OPAQUE:  # 8-bit values, not 16-bit
            image.palette = ImagePalette.raw("RGB;L", bytes(palette))

    @property
    def orientation(self) -> int:
        """Always 1, because Pillow has turned the image upright."""
        return 1


def open_tiff(data: bytes) -> Source:
    """Return the `Source` that reads the full-size page of a TIFF file.

    Raises:
        InvalidImageError: the file exceeds a limit, or its kind is not supported.

    """
    check_tiff(data)
    pages = list(read_pages(data))
    if _is_camera_raw(data, pages):
        raise camera_raw_error()
    first = pages[0] if pages else {}
    page = next(filter(is_full_page, pages), first) if is_reduced_page(first) else first
    if page is not first or data.startswith(_BIG_ENDIAN_BIGTIFF):
        data = extract_page(data, page)
        check_tiff(data)
    compression = number(page, tags.COMPRESSION, 1)
    if compression in _UNSUPPORTED_COMPRESSIONS:
        kind = f"TIFF with {_UNSUPPORTED_COMPRESSIONS[compression]} compression"
        raise unsupported_error(kind, "TIFF with LZW or Deflate compression")
    if compression not in COMPRESSION_INFO and compression not in LOSSLESS:
        kind = f"TIFF with compression {compression}"
        raise unsupported_error(kind, "TIFF with LZW or Deflate compression")
    layout = TiffLayout.of(page)
    if layout is None or _can_pillow_read(page, layout, byte_order(data)):
        return TiffSource(data, page)
    if layout.can_be_unpacked and number(page, tags.FILL_ORDER, 1) == 1:
        return SamplesSource(data, byte_order(data), page, layout)
    if layout.bits not in {1, BYTE_BITS} or (layout.bits != 1 and compression in LOSSLESS):
        raise unsupported_error(layout.name)
    return TiffSource(data, page)


def _can_pillow_read(page: Directory, layout: TiffLayout, order: str) -> bool:
    """Return whether Pillow supports this layout and reads it correctly."""
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
    is_unsigned_long = (
        layout.format == UNSIGNED and layout.bits == LONG_BITS
    )  # Pillow reads such samples as signed
    return not (
        is_negative
        or is_unsigned_long
        or (is_planar and layout.bits != BYTE_BITS)
        or layout.bits == _UNSCALED_BITS
    )


def _is_camera_raw(data: bytes, pages: list[Directory]) -> bool:
    if data.startswith((b"CR", *_PHASE_ONE_SIGNATURES), _SIGNATURE_OFFSET):
        return True
    has_only_thumbnails = (
        bool(pages) and is_reduced_page(pages[0]) and not any(map(is_full_page, pages))
    )
    make = bytes(pages[0].get(tags.MAKE, b"")) if pages else b""
    if make.startswith(_PHASE_ONE_MAKES) and any(mark in data for mark in _PHASE_ONE_SIGNATURES):
        return True
    return (has_only_thumbnails and bool(make)) or any(
        tags.DNG_VERSION in page
        or number(page, tags.PHOTOMETRIC) in _RAW_PHOTOMETRICS
        or number(page, tags.COMPRESSION) in _RAW_COMPRESSIONS
        for page in pages
    )
