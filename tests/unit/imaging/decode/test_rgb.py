"""Images in each of Pillow's modes are decoded to 8-bit RGB and alpha."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.unit.imaging.pictures import astronaut, difference, noise, saved

from blur.imaging.decode.decoder import Photo, decode
from blur.imaging.decode.rgb import scale_grey, to_rgb

RAMP = np.tile(np.arange(0, 65536, 257, dtype=np.uint16), (3, 1))
"""The 256 greys of 8 bits, as 16-bit samples."""
GREYS = np.tile(np.arange(256, dtype=np.uint8), (3, 1))


def read(data: bytes) -> Photo:
    return decode(data, max_pixels=1_000_000)


def png_with(chunk: bytes, image: Image.Image) -> bytes:
    """Return a PNG with an additional chunk before its pixels."""
    data = saved(image, "PNG")
    at = data.index(b"IDAT") - 4
    size, checksum = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return data[:at] + size + chunk + checksum + data[at:]


def assert_grey(photo: Photo, greys: np.ndarray) -> None:
    np.testing.assert_array_equal(photo.pixels, np.dstack([greys] * 3))


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF"])
def test_a_1_bit_image_becomes_black_and_white(file_format: str) -> None:
    dots = noise(9, 13)[..., 0] > 127
    photo = read(saved(Image.fromarray(dots), file_format))
    assert_grey(photo, np.where(dots, 255, 0).astype(np.uint8))


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF"])
def test_each_level_of_grey_is_read_exactly(file_format: str) -> None:
    assert_grey(read(saved(Image.fromarray(GREYS), file_format)), GREYS)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_grey_with_alpha_keeps_its_levels_and_its_alpha(file_format: str) -> None:
    image = Image.merge("LA", (Image.fromarray(GREYS), Image.fromarray(GREYS[:, ::-1].copy())))
    photo = read(saved(image, file_format))
    assert_grey(photo, GREYS)
    np.testing.assert_array_equal(photo.alpha, GREYS[:, ::-1])


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_a_16_bit_tiff_is_scaled_and_not_clipped(order: str) -> None:
    assert_grey(read(saved(Image.fromarray(RAMP.astype(order)), "TIFF")), GREYS)


def test_a_16_bit_png_is_scaled_and_not_clipped() -> None:
    assert_grey(read(saved(Image.fromarray(RAMP), "PNG")), GREYS)


def test_32_bit_integers_are_scaled_from_the_smallest_known_range_that_contains_them() -> None:
    for samples in (RAMP.astype(np.int32), GREYS.astype(np.int32)):
        assert_grey(read(saved(Image.fromarray(samples), "TIFF")), GREYS)


@pytest.mark.parametrize("scale", [1, 255, 65535])
def test_floats_are_scaled_from_the_smallest_known_range_that_contains_them(scale: int) -> None:
    samples = (GREYS / 255 * scale).astype(np.float32)
    assert_grey(read(saved(Image.fromarray(samples), "TIFF")), GREYS)


def test_floats_outside_all_known_ranges_are_scaled_to_the_range_from_black_to_white() -> None:
    samples = GREYS.astype(np.float32) * 1000 - 90_000
    assert_grey(read(saved(Image.fromarray(samples), "TIFF")), GREYS)


def test_a_nan_sample_becomes_black() -> None:
    samples = np.array([[0, np.nan, 1]], np.float32)
    np.testing.assert_array_equal(scale_grey(samples), [[0, 0, 255]])


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP", "TIFF"])
def test_a_palette_image_gets_the_colours_of_its_palette(file_format: str) -> None:
    image = Image.fromarray(astronaut(40, 50)).quantize(32)
    photo = read(saved(image, file_format))
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))
    assert photo.alpha is None


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_a_palette_with_one_transparent_entry_has_alpha(file_format: str) -> None:
    image = Image.fromarray(astronaut(40, 50)).quantize(8)
    indices = np.asarray(image)
    photo = read(saved(image, file_format, transparency=3))
    np.testing.assert_array_equal(photo.alpha, np.where(indices == 3, 0, 255))


def test_a_palette_with_graded_transparency_has_graded_alpha() -> None:
    image = Image.fromarray(astronaut(40, 50)).quantize(8)
    grades = bytes(range(0, 240, 30))
    photo = read(saved(image, "PNG", transparency=grades))
    np.testing.assert_array_equal(photo.alpha, np.frombuffer(grades, np.uint8)[np.asarray(image)])


def test_a_palette_image_with_an_alpha_channel_keeps_its_alpha() -> None:
    image = Image.fromarray(astronaut(40, 50)).convert("RGBA").convert("PA")
    image.putalpha(Image.fromarray(noise(40, 50)[..., 0]))
    photo = read(saved(image, "TIFF"))
    np.testing.assert_array_equal(photo.alpha, noise(40, 50)[..., 0])
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_rgba_keeps_its_alpha_and_the_colours_of_transparent_pixels(file_format: str) -> None:
    image = np.dstack((noise(20, 30), np.maximum(noise(20, 30, 1)[..., :1], 1)))
    options = {"lossless": True} if file_format == "WEBP" else {}
    photo = read(saved(Image.fromarray(image), file_format, **options))
    np.testing.assert_array_equal(photo.pixels, image[..., :3])
    np.testing.assert_array_equal(photo.alpha, image[..., 3])


def test_a_fourth_channel_of_padding_does_not_become_alpha() -> None:
    image = Image.fromarray(np.dstack((noise(20, 30), np.zeros((20, 30), np.uint8))), "RGBX")
    photo = read(saved(image, "TIFF"))
    np.testing.assert_array_equal(photo.pixels, noise(20, 30))
    assert photo.alpha is None


def test_premultiplied_colours_are_divided_by_their_alpha() -> None:
    straight = np.full((4, 4, 4), (200, 100, 50, 128), np.uint8)
    pixels, alpha, _ = to_rgb(Image.fromarray(straight).convert("RGBa"))
    assert difference(pixels, straight[..., :3]).max() <= 1
    np.testing.assert_array_equal(alpha, straight[..., 3])


def test_rgb_with_a_transparent_colour_is_transparent_only_where_all_channels_match() -> None:
    image = np.array([[[9, 8, 7], [9, 8, 6], [9, 8, 7]]], np.uint8)
    photo = read(saved(Image.fromarray(image), "PNG", transparency=(9, 8, 7)))
    np.testing.assert_array_equal(photo.alpha, [[0, 255, 0]])


def test_16_bit_rgb_with_a_transparent_colour_has_alpha() -> None:
    colours = [(0x1234, 0x5678, 0x9ABC), (0xFFFF, 0x5678, 0x9ABC)]
    row = b"\0" + b"".join(struct.pack(">3H", *colour) for colour in colours)
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    key = struct.pack(">3H", *colours[0])
    chunks = [(b"IHDR", header), (b"tRNS", key), (b"IDAT", zlib.compress(row)), (b"IEND", b"")]
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    photo = read(b"\x89PNG\r\n\x1a\n" + b"".join(framed))
    np.testing.assert_array_equal(photo.alpha, [[0, 255]])


@pytest.mark.parametrize(("samples", "key"), [(GREYS, 7), (RAMP, 7 * 257)])
def test_a_grey_png_with_a_transparent_grey_value_has_alpha(samples: np.ndarray, key: int) -> None:
    chunk = b"tRNS" + struct.pack(">H", key)
    photo = read(png_with(chunk, Image.fromarray(samples)))
    np.testing.assert_array_equal(photo.alpha, np.where(GREYS == 7, 0, 255))


@pytest.mark.parametrize("mode", ["YCbCr", "LAB", "HSV"])
def test_ycbcr_lab_and_hsv_images_keep_their_colours(mode: str) -> None:
    image = Image.fromarray(astronaut(60, 60))
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        other = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
        assert other is not None
    else:
        other = image.convert(mode)
    pixels, _, _ = to_rgb(other)
    assert difference(pixels, np.asarray(image)).mean() < 3


def test_a_lab_tiff_keeps_its_colours() -> None:
    image = Image.fromarray(astronaut(60, 60))
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    other = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    assert other is not None
    assert difference(read(saved(other, "TIFF")).pixels, np.asarray(image)).mean() < 3


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_a_cmyk_photo_becomes_rgb_and_is_not_inverted(file_format: str) -> None:
    image = Image.fromarray(astronaut())
    options = {"quality": 95} if file_format == "JPEG" else {}
    photo = read(saved(image.convert("CMYK"), file_format, **options))
    assert difference(photo.pixels, np.asarray(image)).mean() < 3


@pytest.mark.parametrize("extreme", [np.inf, -np.inf, np.float32(3e38), np.float32(-3e38)])
def test_an_infinite_or_extreme_sample_becomes_black_or_white(extreme: float) -> None:
    samples = np.array([[extreme, -extreme]], np.float32)
    assert set(scale_grey(samples).ravel()) == {0, 255}


def test_each_sample_is_scaled_by_the_range_of_the_whole_image() -> None:
    samples = np.zeros((700, 1000), np.float32)
    samples[0, 0], samples[-1, -1] = -1000, 3000
    grey = scale_grey(samples)
    assert (grey[0, 0], grey[0, 1], grey[-1, 0], grey[-1, -1]) == (0, 64, 64, 255)
