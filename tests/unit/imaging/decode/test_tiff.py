"""TIFF: pages, camera raw files that are based on TIFF, and unsupported kinds."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.decode.tiff_files import page, to_16bit
from tests.unit.imaging.pictures import astronaut, difference, noise, saved

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.decode.decoder import Photo, decode


def read(data: bytes) -> Photo:
    return decode(data, max_pixels=1_000_000)


@pytest.mark.parametrize("tag", [254, 255])
def test_the_full_size_page_is_read_if_the_first_page_is_a_smaller_copy(tag: int) -> None:
    small = Image.fromarray(noise(10, 12))
    large = Image.fromarray(astronaut(100, 120))
    data = saved(
        small, "TIFF", save_all=True, append_images=[large], tiffinfo={tag: 1 if tag == 254 else 2}
    )
    marked = bytearray(data)
    at = marked.rindex(struct.pack("<H", tag))
    if marked.count(struct.pack("<HHL", tag, 4 if tag == 254 else 3, 1)) > 1:
        marked[at + 8 : at + 12] = bytes(4)
    np.testing.assert_array_equal(read(bytes(marked)).pixels, astronaut(100, 120))


def test_the_first_of_several_full_size_pages_is_read() -> None:
    first, second = Image.fromarray(noise(10, 12)), Image.fromarray(astronaut(100, 120))
    data = saved(first, "TIFF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read(data).pixels, noise(10, 12))


def big_endian_bigtiff() -> bytes:
    entries = [(256, 3, 1, 30), (257, 3, 1, 20), (259, 3, 1, 1), (262, 3, 1, 2), (277, 3, 1, 3)]
    table = b"".join(
        struct.pack(">HHQ", tag, kind, count) + struct.pack(">H6x", value)
        for tag, kind, count, value in entries
    )
    bits = struct.pack(">HHQ", 258, 3, 3) + struct.pack(">3H2x", 8, 8, 8)
    strip = struct.pack(">HHQQ", 273, 16, 1, 16) + struct.pack(">HHQQ", 279, 16, 1, 1800)
    table = table[:40] + bits + table[40:80] + strip[:20] + table[80:] + strip[20:]
    directory = struct.pack(">Q", 8) + table + bytes(8)
    return (
        b"MM\0+\0\x08\0\0" + struct.pack(">Q", 16 + 1800) + astronaut(20, 30).tobytes() + directory
    )


def test_bigtiff_in_big_endian_is_read() -> None:
    np.testing.assert_array_equal(read(big_endian_bigtiff()).pixels, astronaut(20, 30))


def sub_page(photometric: int) -> bytes:
    """Return a TIFF whose first page is a small copy; its SubIFD has the 16-bit samples."""
    small = page(noise(8, 8), 2, (254, "L", (1,)), (330, "L", (0xABCDEF,)))
    nested = page(to_16bit(noise(20, 30)[..., :1]), photometric)
    start = len(small) + struct.unpack_from("<L", nested, 4)[0]
    return small.replace(struct.pack("<L", 0xABCDEF), struct.pack("<L", start)) + nested


RAW = {
    "DNG": lambda: page(noise(8, 8), 2, (50706, "B", (1, 4, 0, 0))),
    "a colour filter array in a SubIFD": lambda: sub_page(32803),
    "linear raw in a SubIFD": lambda: sub_page(34892),
    "CR2": lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(100),
    "Nikon's compression": lambda: page(noise(8, 8), 1, (259, "H", (34713,))),
    "a camera's file with only a thumbnail": lambda: page(
        noise(8, 8), 2, (254, "L", (1,)), (271, "B", tuple(b"Camera"))
    ),
    "IIQ, recognised by the maker's data": lambda: (
        page(noise(8, 8), 2, (271, "B", tuple(b"Phase One A/S"))) + b"IIIICwaR"
    ),
    "IIQ": lambda: b"II*\0\x10\0\0\0IIIITwaR" + bytes(100),
}


@pytest.mark.parametrize("kind", RAW)
def test_a_camera_raw_file_is_rejected_and_not_read_as_its_thumbnail(kind: str) -> None:
    with pytest.raises(InvalidImageError, match="camera raw file is not supported; develop"):
        read(RAW[kind]())


UNSUPPORTED = {
    "TIFF with WebP compression": lambda: page(noise(8, 8), 2, (259, "H", (50001,))),
    "TIFF with JPEG 2000 compression": lambda: page(noise(8, 8), 2, (259, "H", (33003,))),
    "TIFF with compression 34718": lambda: page(noise(8, 8), 2, (259, "H", (34718,))),
    "16-bit YCbCr TIFF": lambda: page(to_16bit(noise(8, 8)), 6),
    "16-bit palette TIFF": lambda: page(to_16bit(noise(8, 8)[..., :1]), 3),
    "12-bit RGB TIFF": lambda: page(
        to_16bit(noise(8, 8)), 2, (258, "H", (12,) * 3), (259, "H", (7,))
    ),
    "signed 8-bit RGB TIFF": lambda: page(noise(8, 8), 2, (339, "H", (2,) * 3)),
    "A TIFF with samples of different depths or formats": lambda: page(
        noise(8, 8), 2, (258, "H", (5, 6, 5))
    ),
    "32-bit CMYK TIFF": lambda: page(np.zeros((8, 8, 4), np.float32), 5),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_the_error_for_an_unsupported_kind_of_tiff_names_the_kind(kind: str) -> None:
    name = kind.replace("32-bit", "floating-point")
    with pytest.raises(InvalidImageError, match=f"{name} is not supported; save it as"):
        read(UNSUPPORTED[kind]())


def test_an_orientation_in_the_xmp_of_a_tiff_is_ignored() -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    photo = read(page(astronaut(20, 30), 2, (700, "B", tuple(xmp))))
    np.testing.assert_array_equal(photo.pixels, astronaut(20, 30))


def test_a_tiff_with_too_many_pixels_is_rejected() -> None:
    with pytest.raises(ImageTooLargeError):
        decode(page(to_16bit(noise(20, 30)), 2, planar=True), max_pixels=599)


@pytest.mark.parametrize("compression", ["jpeg", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_the_full_size_page_is_read_if_a_smaller_copy_precedes_it(
    compression: str,
) -> None:
    data = saved(
        Image.fromarray(noise(10, 12)),
        "TIFF",
        save_all=True,
        append_images=[Image.fromarray(astronaut(100, 120))],
        compression=compression,
        tiffinfo={254: 1},
    )
    marked = bytearray(data)
    at = marked.rindex(struct.pack("<HHLL", 254, 4, 1, 1))
    marked[at + 8 : at + 12] = bytes(4)
    photo = read(bytes(marked))
    assert photo.pixels.shape == (100, 120, 3)
    assert difference(photo.pixels, astronaut(100, 120)).mean() < 6
