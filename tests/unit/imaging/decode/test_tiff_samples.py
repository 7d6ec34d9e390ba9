"""TIFF: the kinds of samples that our code unpacks."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.unit.imaging.decode.sample_files import tiff
from tests.unit.imaging.decode.tiff_files import page, to_16bit
from tests.unit.imaging.icc_profiles import cmyk_profile
from tests.unit.imaging.pictures import astronaut, difference, noise

from blur.errors import InvalidImageError
from blur.imaging.decode.decoder import Photo, decode

ORDERS = ("<", ">")
COMPRESSIONS = (1, 8)
"""The TIFF codes for no compression and for Deflate."""


def read(data: bytes) -> Photo:
    return decode(data, max_pixels=1_000_000)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("rows_per_strip", [0, 7])
@pytest.mark.parametrize("predictor", [False, True])
def test_a_16_bit_tiff_with_separate_colour_planes_is_read_in_both_byte_orders(
    order: str, compression: int, rows_per_strip: int, *, predictor: bool
) -> None:
    data = page(
        to_16bit(astronaut(40, 50)),
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
def test_grey_samples_that_store_white_as_0_do_not_become_a_negative(
    order: str, kind: type[np.unsignedinteger]
) -> None:
    grey = astronaut(40, 50)[..., :1]
    samples = ~(to_16bit(grey) if kind is np.uint16 else grey)
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
    stored = to_16bit(samples) if bits == 16 else samples
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
def test_samples_of_10_12_or_14_bits_are_unpacked(bits: int, channels: int) -> None:
    image = astronaut(20, 31)[..., :channels]
    numbers = image.astype(np.uint16) << (bits - 8) | image >> (16 - bits)
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
    assert difference(photo.pixels, np.broadcast_to(image, (20, 31, 3))).max() <= 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("unit", [1, 257, 0x01010101])
def test_unsigned_32_bit_samples_are_scaled_by_the_8_16_or_32_bits_that_they_use(
    unit: int, channels: int, order: str
) -> None:
    image = astronaut(40, 50)[..., :channels]
    samples = (image.astype(np.uint64) * unit).astype(np.uint32)
    photo = read(page(samples, 2 if channels == 3 else 1, order=order))
    np.testing.assert_array_equal(photo.pixels, np.broadcast_to(image, (40, 50, 3)))


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


def test_a_very_bright_float_sample_darkens_the_other_pixels_but_a_nan_does_not() -> None:
    samples = np.dstack((astronaut(300, 40) / 255, np.full((300, 40), 0.5))).astype(np.float32)
    samples[0, 0, 0] = np.nan
    photo = read(page(samples, 2, (338, "H", (2,)), rows_per_strip=1))
    assert difference(photo.pixels[1:], astronaut(300, 40)[1:]).max() <= 1
    assert photo.alpha is not None
    assert set(np.unique(photo.alpha)) == {128}
    samples[299, 39, 1] = 254.0
    assert read(page(samples, 2, (338, "H", (2,)), rows_per_strip=1)).pixels[:290].max() <= 1


def test_16_bit_lab_keeps_its_colours() -> None:
    image = Image.fromarray(astronaut(60, 60))
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    other = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    assert other is not None
    raw = np.frombuffer(other.tobytes(), np.uint8).reshape(60, 60, 3)
    samples = raw.astype(np.uint16) * 257
    samples[..., 1:] = (raw[..., 1:].view(np.int8).astype(np.int16) * 256).view(np.uint16)
    assert difference(read(page(samples, 8)).pixels, np.asarray(image)).mean() < 3


def test_a_colour_map_with_8_bit_values_is_read() -> None:
    palette = astronaut(1, 256)[0]
    indices = noise(20, 30)[..., :1]
    maps = tuple(int(value) for value in palette.T.ravel())
    photo = read(page(indices, 3, (320, "H", maps)))
    np.testing.assert_array_equal(photo.pixels, palette[indices[..., 0]])
    wide = tuple(257 * value for value in maps)
    np.testing.assert_array_equal(read(page(indices, 3, (320, "H", wide))).pixels, photo.pixels)


@pytest.mark.parametrize("compression", [1, 8])
def test_the_tiles_of_a_tiff_with_separate_colour_planes_are_joined(compression: int) -> None:
    padded = np.zeros((48, 64, 3), np.uint16)
    padded[:40, :50] = to_16bit(astronaut(40, 50))
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


def test_a_damaged_file_whose_samples_our_code_unpacks_is_decoded_or_rejected() -> None:
    whole = page(to_16bit(astronaut(20, 30)), 2, planar=True, compression=8, rows_per_strip=5)
    start = struct.unpack_from("<L", whole, 4)[0]
    for offset in range(8, start, 97):
        broken = whole[:offset] + bytes(min(40, start - offset)) + whole[offset + 40 :]
        try:
            assert read(broken).pixels.shape == (20, 30, 3)
        except InvalidImageError:
            continue


def test_a_strip_that_is_too_large_to_unpack_is_rejected() -> None:
    data = page(np.zeros((1, 20_000, 3), np.float64), 2, (257, "L", (1000,)), (278, "L", (1000,)))
    with pytest.raises(InvalidImageError, match="Save it with smaller ones"):
        decode(data, max_pixels=50_000_000)


@pytest.mark.parametrize("tag", [258, 338, 339])
def test_a_file_with_truncated_sample_tags_is_rejected(tag: int) -> None:
    samples = np.dstack((astronaut(20, 30), noise(20, 30)))
    more = ((339, "H", (1,) * 6), (338, "H", (2, 0, 0)))
    whole = page(samples.astype(np.uint16), 2, *more)
    at = whole.rindex(struct.pack("<HH", tag, 3))
    truncated = whole[: at + 8] + struct.pack("<L", len(whole) - 2) + whole[at + 12 :]
    with pytest.raises(InvalidImageError):
        read(truncated)
