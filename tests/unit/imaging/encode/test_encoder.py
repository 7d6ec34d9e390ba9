from __future__ import annotations

from contextlib import nullcontext as does_not_raise
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, difference, disc, noise

from blur.imaging.encode.encoder import encode, encode_small_jpeg
from blur.imaging.encode.formats import OUTPUT_FORMATS, check_size
from blur.parameter_errors import InvalidFormatError, InvalidQualityError


def chunks(png: bytes) -> list[bytes]:
    """Return the types of the chunks in a PNG, in order (W3C PNG, 5.3)."""
    kinds, at = [], 8
    while at < len(png):
        kinds.append(png[at + 4 : at + 8])
        at += 12 + int.from_bytes(png[at : at + 4])
    return kinds


def test_a_png_has_the_same_pixels_as_the_image() -> None:
    encoded = encode(noise(20, 30), None, None, "png", 90)
    assert encoded.content_type == "image/png"
    image = Image.open(BytesIO(encoded.data))
    assert (image.format, image.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(image), noise(20, 30))


def test_a_png_with_alpha_is_rgba_and_has_the_same_pixels_as_the_image() -> None:
    alpha = noise(20, 30, 5)[..., 0]
    image = Image.open(BytesIO(encode(noise(20, 30), alpha, None, "png", 90).data))
    np.testing.assert_array_equal(np.asarray(image), np.dstack((noise(20, 30), alpha)))


def test_a_png_contains_the_colour_profile() -> None:
    image = Image.open(BytesIO(encode(noise(20, 30), None, SRGB, "png", 90).data))
    assert image.info["icc_profile"] == SRGB


@pytest.mark.parametrize("profile", [None, SRGB])
def test_a_png_has_no_metadata_except_the_profile(profile: bytes | None) -> None:
    kinds = set(chunks(encode(noise(20, 30), None, profile, "png", 90).data))
    assert kinds == {b"IHDR", b"IDAT", b"IEND"} | ({b"iCCP"} if profile else set())


def test_the_error_for_an_unknown_format_lists_the_known_formats() -> None:
    with pytest.raises(InvalidFormatError, match=", ".join(OUTPUT_FORMATS)):
        encode(noise(2, 2), None, None, "bmp", 90)


LOSSY = ("jpeg", "webp", "avif")


@pytest.mark.parametrize("output", OUTPUT_FORMATS)
def test_every_format_keeps_the_pixels_approximately_and_has_its_media_type(output: str) -> None:
    encoded = encode(astronaut(), None, None, output, 90)
    image = Image.open(BytesIO(encoded.data))
    assert encoded.content_type == f"image/{output}" == f"image/{str(image.format).lower()}"
    assert difference(np.asarray(image.convert("RGB")), astronaut()).mean() < 3


@pytest.mark.parametrize("output", OUTPUT_FORMATS)
def test_every_format_keeps_the_profile(output: str) -> None:
    image = Image.open(BytesIO(encode(noise(20, 30), None, SRGB, output, 90).data))
    assert image.info["icc_profile"] == SRGB


@pytest.mark.parametrize("output", OUTPUT_FORMATS)
def test_a_file_without_a_profile_has_no_metadata_in_any_format(output: str) -> None:
    image = Image.open(BytesIO(encode(noise(20, 30), None, None, output, 90).data))
    image.load()
    assert not image.getexif()
    assert not {"icc_profile", "exif", "xmp", "comment"} & set(image.info)


@pytest.mark.parametrize("quality", [1, 50, 90])
@pytest.mark.parametrize("output", ["png", "webp", "avif"])
def test_transparency_is_kept_exactly_at_any_quality(output: str, quality: int) -> None:
    for alpha in (disc(128, 128, 40), noise(128, 128)[..., 0]):
        data = encode(astronaut(128, 128), alpha, None, output, quality).data
        image = Image.open(BytesIO(data))
        assert image.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(image)[..., 3], alpha)


def test_transparency_becomes_white_in_a_jpeg() -> None:
    alpha = np.zeros((32, 32), np.uint8)
    alpha[:, :16] = 255
    pixels = np.zeros((32, 32, 3), np.uint8)
    image = np.asarray(Image.open(BytesIO(encode(pixels, alpha, None, "jpeg", 95).data)))
    assert image[:, :12].max() < 16
    assert image[:, 20:].min() > 239


@pytest.mark.parametrize("output", LOSSY)
def test_a_file_of_higher_quality_has_more_bytes(output: str) -> None:
    sizes = [len(encode(astronaut(), None, None, output, q).data) for q in (1, 50, 90, 100)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("quality", [0, 101, -1])
def test_a_quality_out_of_range_is_rejected(quality: int) -> None:
    with pytest.raises(InvalidQualityError, match="1 to 100"):
        encode(noise(2, 2), None, None, "jpeg", quality)


@pytest.mark.parametrize("output", OUTPUT_FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (17, 31)])
def test_images_of_one_pixel_or_with_very_short_sides_keep_their_size(
    output: str, size: tuple[int, int]
) -> None:
    image = Image.open(BytesIO(encode(noise(*size), None, None, output, 90).data))
    image.load()
    assert image.size == size[::-1]


@pytest.mark.parametrize(
    ("size", "quality"), [((3, 9000), 90), ((300, 400), 94), ((300, 400), 100)]
)
def test_the_jpegs_from_encode_small_jpeg_and_encode_have_the_same_pixels(
    size: tuple[int, int], quality: int
) -> None:
    small = encode_small_jpeg(noise(*size), SRGB, quality)
    usual = encode(noise(*size), None, SRGB, "jpeg", quality)
    pixels = [np.asarray(Image.open(BytesIO(each.data))) for each in (small, usual)]
    np.testing.assert_array_equal(pixels[0], pixels[1])
    assert Image.open(BytesIO(small.data)).info["icc_profile"] == SRGB


def test_encode_small_jpeg_writes_at_least_one_percent_fewer_bytes_than_encode() -> None:
    small = encode_small_jpeg(astronaut(), None, 90)
    assert len(small.data) < 0.99 * len(encode(astronaut(), None, None, "jpeg", 90).data)


def test_the_error_for_an_image_that_is_too_long_names_the_limit_of_the_format() -> None:
    with pytest.raises(InvalidFormatError, match="webp can have at most 16383 pixels on a side"):
        encode(noise(1, 16_384), None, None, "webp", 90)


@pytest.mark.parametrize("output", OUTPUT_FORMATS)
def test_the_largest_width_and_height_depend_on_the_format(output: str) -> None:
    side_px = OUTPUT_FORMATS[output].max_side_px
    check_size(output, (1, side_px, 3), has_alpha=True)
    with pytest.raises(InvalidFormatError, match="on a side"):
        check_size(output, (side_px + 1, 1, 3), has_alpha=False)


@pytest.mark.parametrize("output", OUTPUT_FORMATS)
def test_a_result_with_the_largest_width_or_height_of_its_format_can_be_read(output: str) -> None:
    side_px = OUTPUT_FORMATS[output].max_side_px
    for height, width in ((16, side_px), (side_px, 16)):
        encoded = encode(np.full((height, width, 3), 90, np.uint8), None, None, output, 90)
        with Image.open(BytesIO(encoded.data)) as image:
            image.load()
            assert image.size == (width, height)
        if output == "png":  # OpenCV reads PNGs with libpng, as most programs do; Pillow does not
            data = np.frombuffer(encoded.data, np.uint8)
            decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
            assert decoded is not None
            assert decoded.shape == (height, width, 3)


@pytest.mark.parametrize(("output", "has_alpha"), [("avif", False), ("avif", True), ("webp", True)])
def test_an_area_above_the_formats_limit_is_rejected(output: str, *, has_alpha: bool) -> None:
    check_size(output, (6000, 6000, 3), has_alpha=has_alpha)
    with pytest.raises(InvalidFormatError, match=f"in {output} can have at most 36 megapixels"):
        check_size(output, (6000, 6001, 3), has_alpha=has_alpha)


@pytest.mark.parametrize(("output", "has_alpha"), [("png", True), ("jpeg", True), ("webp", False)])
def test_formats_without_a_pixel_limit_accept_large_images(output: str, *, has_alpha: bool) -> None:
    with does_not_raise():
        check_size(output, (16_000, 16_000, 3), has_alpha=has_alpha)
