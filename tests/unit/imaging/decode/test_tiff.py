"""TIFF: samples, pages, and camera raw files that are based on TIFF."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.unit.imaging.decode.sample_files import tiff
from tests.unit.imaging.icc_profiles import cmyk_profile
from tests.unit.imaging.pictures import astronaut, difference, noise, saved

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.decode.decoder import Photo, decode

ORDERS = ("<", ">")
COMPRESSIONS = (1, 8)
"""None and Deflate."""


def read(data: bytes) -> Photo:
    return decode(data, max_pixels=1_000_000)


def page(  # noqa: PLR0913 - the ways in which TIFFs differ
    samples: np.ndarray,
    photometric: int,
    *more: tuple[int, str, tuple[int, ...]],
    order: str = "<",
    compression: int = 1,
    rows_per_strip: int = 0,
    planar: bool = False,
    predictor: bool = False,
) -> bytes:
    """Return a TIFF of samples, (H, W, C), in strips."""
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


def deep(picture: np.ndarray) -> np.ndarray:
    """Convert 8-bit samples to 16 bits."""
    return picture.astype(np.uint16) * 257


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("rows_per_strip", [0, 7])
@pytest.mark.parametrize("predictor", [False, True])
def test_16_bit_planes_are_read_in_both_byte_orders(
    order: str, compression: int, rows_per_strip: int, *, predictor: bool
) -> None:
    data = page(
        deep(astronaut(40, 50)),
        2,
        order=order,
        compression=compression,
        rows_per_strip=rows_per_strip,
        planar=True,
        predictor=predictor and compression == 8,
    )
    np.testing.assert_array_equal(read(data).pixels, astronaut(40, 50))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_with_white_as_zero_is_not_a_negative(
    order: str, kind: type[np.unsignedinteger]
) -> None:
    grey = astronaut(40, 50)[..., :1]
    samples = ~(deep(grey) if kind is np.uint16 else grey)
    photo = read(page(samples, 0, order=order))
    np.testing.assert_array_equal(photo.pixels, np.repeat(grey, 3, axis=2))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_cmyk_with_alpha_is_read_with_its_alpha(
    order: str, compression: int, bits: int, *, planar: bool
) -> None:
    cmyk = np.asarray(Image.fromarray(astronaut(40, 50)).convert("CMYK"))
    samples = np.dstack((cmyk, noise(40, 50)[..., 0]))
    stored = deep(samples) if bits == 16 else samples
    data = page(stored, 5, (338, "H", (2,)), order=order, compression=compression, planar=planar)
    photo = read(data)
    np.testing.assert_array_equal(photo.alpha, noise(40, 50)[..., 0])
    assert difference(photo.pixels, astronaut(40, 50)).max() <= 1


def test_cmyk_with_alpha_is_converted_with_its_profile() -> None:
    samples = np.zeros((8, 8, 5), np.uint8)
    samples[..., 0], samples[..., 4] = 255, 99
    profile = cmyk_profile(cyan_prints_red=True)
    photo = read(page(samples, 5, (338, "H", (2,)), (34675, "B", tuple(profile))))
    assert photo.pixels[0, 0, 0] > 240
    assert photo.pixels[0, 0, 1:].max() < 40
    assert photo.alpha is not None
    assert (photo.alpha == 99).all()


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
def test_bits_between_eight_and_sixteen_are_unpacked(bits: int, channels: int) -> None:
    picture = astronaut(20, 31)[..., :channels]
    numbers = picture.astype(np.uint16) << (bits - 8) | picture >> (16 - bits)
    flags = (numbers[..., np.newaxis] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
    packed = np.packbits(flags.reshape(20, -1), axis=1).tobytes()
    entries: dict[int, tuple[str, tuple[int, ...] | bytes]] = {
        256: ("L", (31,)),
        257: ("L", (20,)),
        258: ("H", (bits,) * channels),
        259: ("H", (1,)),
        262: ("H", (1 if channels == 1 else 2,)),
        273: ("L", (8,)),
        277: ("H", (channels,)),
        278: ("L", (20,)),
        279: ("L", (len(packed),)),
    }
    photo = read(tiff(entries, packed))
    assert difference(photo.pixels, np.broadcast_to(picture, (20, 31, 3))).max() <= 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("unit", [1, 257, 0x01010101])
def test_unsigned_32_bits_fill_8_or_16_or_all_of_them(unit: int, channels: int, order: str) -> None:
    picture = astronaut(40, 50)[..., :channels]
    samples = (picture.astype(np.uint64) * unit).astype(np.uint32)
    photo = read(page(samples, 2 if channels == 3 else 1, order=order))
    np.testing.assert_array_equal(photo.pixels, np.broadcast_to(picture, (40, 50, 3)))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floating_point_rgb_is_read(order: str, kind: type[np.floating]) -> None:
    data = page((astronaut(40, 50) / 255).astype(kind), 2, order=order)
    assert difference(read(data).pixels, astronaut(40, 50)).max() <= 1


def test_floats_with_the_floating_point_predictor_are_read() -> None:
    samples = (astronaut(12, 20) / 255).astype(">f4")
    planes = samples.view(np.uint8).reshape(12, 60, 4).transpose(0, 2, 1).reshape(12, 240)
    stored = planes.reshape(12, 80, 3)
    differences = np.diff(stored, axis=1, prepend=np.zeros_like(stored[:, :1]))
    packed = zlib.compress(differences.tobytes())
    data = tiff(
        {
            256: ("L", (20,)),
            257: ("L", (12,)),
            258: ("H", (32,) * 3),
            259: ("H", (8,)),
            262: ("H", (2,)),
            273: ("L", (8,)),
            277: ("H", (3,)),
            278: ("L", (12,)),
            279: ("L", (len(packed),)),
            317: ("H", (3,)),
            339: ("H", (3,) * 3),
        },
        packed,
    )
    assert difference(read(data).pixels, astronaut(12, 20)).max() <= 1


def test_16_bit_lab_keeps_its_colours() -> None:
    image = Image.fromarray(astronaut(60, 60))
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    other = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    assert other is not None
    raw = np.frombuffer(other.tobytes(), np.uint8).reshape(60, 60, 3)
    samples = raw.astype(np.uint16) * 257
    samples[..., 1:] = (raw[..., 1:].view(np.int8).astype(np.int16) * 256).view(np.uint16)
    assert difference(read(page(samples, 8)).pixels, np.asarray(image)).mean() < 3


def test_a_colour_map_of_8_bit_values_gives_its_colours() -> None:
    palette = astronaut(1, 256)[0]
    indices = noise(20, 30)[..., :1]
    maps = tuple(int(value) for value in palette.T.ravel())
    photo = read(page(indices, 3, (320, "H", maps)))
    np.testing.assert_array_equal(photo.pixels, palette[indices[..., 0]])
    wide = tuple(257 * value for value in maps)
    np.testing.assert_array_equal(read(page(indices, 3, (320, "H", wide))).pixels, photo.pixels)


@pytest.mark.parametrize("compression", [1, 8])
def test_tiles_of_planes_are_joined(compression: int) -> None:
    padded = np.zeros((48, 64, 3), np.uint16)
    padded[:40, :50] = deep(astronaut(40, 50))
    tiles = [
        padded[top : top + 16, left : left + 16, channel].astype("<u2").tobytes()
        for channel in range(3)
        for top in range(0, 48, 16)
        for left in range(0, 64, 16)
    ]
    tiles = [zlib.compress(tile) if compression == 8 else tile for tile in tiles]
    starts = np.cumsum([8] + [len(tile) for tile in tiles])[:-1]
    data = tiff(
        {
            256: ("L", (50,)),
            257: ("L", (40,)),
            258: ("H", (16,) * 3),
            259: ("H", (compression,)),
            262: ("H", (2,)),
            274: ("H", (6,)),
            277: ("H", (3,)),
            284: ("H", (2,)),
            322: ("L", (16,)),
            323: ("L", (16,)),
            324: ("L", tuple(map(int, starts))),
            325: ("L", tuple(map(len, tiles))),
        },
        b"".join(tiles),
    )
    np.testing.assert_array_equal(read(data).pixels, np.rot90(astronaut(40, 50), -1))


@pytest.mark.parametrize("tag", [254, 255])
def test_the_full_size_page_is_read_if_the_first_is_a_smaller_copy(tag: int) -> None:
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
    """Return a TIFF whose first page is a small copy, and whose sub-page has another kind."""
    small = page(noise(8, 8), 2, (254, "L", (1,)), (330, "L", (0xABCDEF,)))
    nested = page(deep(noise(20, 30)[..., :1]), photometric)
    start = len(small) + struct.unpack_from("<L", nested, 4)[0]
    return small.replace(struct.pack("<L", 0xABCDEF), struct.pack("<L", start)) + nested


RAW = {
    "DNG": lambda: page(noise(8, 8), 2, (50706, "B", (1, 4, 0, 0))),
    "a colour filter array in a sub-page": lambda: sub_page(32803),
    "linear raw in a sub-page": lambda: sub_page(34892),
    "CR2": lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(100),
    "Nikon's compression": lambda: page(noise(8, 8), 1, (259, "H", (34713,))),
    "a single thumbnail of a camera": lambda: page(
        noise(8, 8), 2, (254, "L", (1,)), (271, "B", tuple(b"Camera"))
    ),
    "IIQ by the maker's data": lambda: (
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
    "16-bit YCbCr TIFF": lambda: page(deep(noise(8, 8)), 6),
    "16-bit palette TIFF": lambda: page(deep(noise(8, 8)[..., :1]), 3),
    "12-bit RGB TIFF": lambda: page(deep(noise(8, 8)), 2, (258, "H", (12,) * 3), (259, "H", (7,))),
    "signed 8-bit RGB TIFF": lambda: page(noise(8, 8), 2, (339, "H", (2,) * 3)),
    "A TIFF with samples of different depths": lambda: page(noise(8, 8), 2, (258, "H", (5, 6, 5))),
    "32-bit CMYK TIFF": lambda: page(np.zeros((8, 8, 4), np.float32), 5),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_an_unsupported_kind_is_named_with_a_supported_one(kind: str) -> None:
    name = kind.replace("32-bit", "floating-point")
    with pytest.raises(InvalidImageError, match=f"{name} is not supported; save it as"):
        read(UNSUPPORTED[kind]())


def test_an_orientation_in_the_xmp_of_a_tiff_is_ignored() -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    photo = read(page(astronaut(20, 30), 2, (700, "B", tuple(xmp))))
    np.testing.assert_array_equal(photo.pixels, astronaut(20, 30))


def test_the_size_of_a_tiff_is_checked_before_unpacking() -> None:
    with pytest.raises(ImageTooLargeError):
        decode(page(deep(noise(20, 30)), 2, planar=True), max_pixels=599)


def test_a_truncated_file_of_unpacked_samples_is_rejected() -> None:
    whole = page(deep(astronaut(20, 30)), 2, planar=True, compression=8, rows_per_strip=5)
    start = struct.unpack_from("<L", whole, 4)[0]
    for offset in range(8, start, 97):
        broken = whole[:offset] + bytes(min(40, start - offset)) + whole[offset + 40 :]
        try:
            assert read(broken).pixels.shape == (20, 30, 3)
        except InvalidImageError:
            continue


def test_a_strip_that_is_too_large_to_unpack_is_rejected() -> None:
    data = page(np.zeros((1, 20_000, 3), np.float64), 2, (257, "L", (1000,)), (278, "L", (1000,)))
    with pytest.raises(InvalidImageError, match="save it with smaller ones"):
        decode(data, max_pixels=50_000_000)


def test_floats_with_highlights_and_nans_keep_their_scale_and_alpha() -> None:
    samples = np.dstack((astronaut(300, 40) / 255, np.full((300, 40), 0.5))).astype(np.float32)
    samples[0, 0, 0] = np.nan
    photo = read(page(samples, 2, (338, "H", (2,)), rows_per_strip=1))
    assert difference(photo.pixels[1:], astronaut(300, 40)[1:]).max() <= 1
    assert photo.alpha is not None
    assert set(np.unique(photo.alpha)) == {128}
    samples[299, 39, 1] = 254.0
    assert read(page(samples, 2, (338, "H", (2,)), rows_per_strip=1)).pixels[:290].max() <= 1


@pytest.mark.parametrize("tag", [258, 338, 339])
def test_a_file_with_truncated_sample_tags_is_rejected(tag: int) -> None:
    samples = np.dstack((astronaut(20, 30), noise(20, 30)))
    more = ((339, "H", (1,) * 6), (338, "H", (2, 0, 0)))
    whole = page(samples.astype(np.uint16), 2, *more)
    at = whole.rindex(struct.pack("<HH", tag, 3))
    truncated = whole[: at + 8] + struct.pack("<L", len(whole) - 2) + whole[at + 12 :]
    with pytest.raises(InvalidImageError):
        read(truncated)


@pytest.mark.parametrize("compression", ["jpeg", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_full_size_page_after_a_smaller_copy_is_read_in_every_compression(
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
