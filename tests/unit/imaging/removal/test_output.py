from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, difference, disc, noise

from blur.imaging.removal.background import Picture
from blur.imaging.removal.options import OUTPUTS, RemovalOptions
from blur.imaging.removal.output import Result, encode_result, guess_output, largest
from blur.removal_errors import ResultTooLargeError

if TYPE_CHECKING:
    from blur.imaging.results import EncodedImage

FORMATS = tuple(output for output in OUTPUTS if output != "auto")
TYPES = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
CUTOUT = Picture(astronaut(120, 160), disc(120, 160, 40))


def encoded(  # noqa: PLR0913 - a result and all options of its file
    output: str,
    picture: Picture = CUTOUT,
    *,
    is_matte: bool = False,
    max_bytes: int | None = None,
    accepted: tuple[str, ...] = (),
    can_change_format: bool = True,
) -> EncodedImage:
    return encode_result(
        Result(picture, SRGB, is_matte),
        output,
        can_change_format=can_change_format,
        max_bytes=max_bytes,
        accepts=accepted.__contains__,
    )


def opened(image: EncodedImage) -> Image.Image:
    return Image.open(BytesIO(image.data))


@pytest.mark.parametrize("output", TYPES)
def test_a_result_in_each_format_has_its_media_type_and_the_profile_of_the_photo(
    output: str,
) -> None:
    image = encoded(output)
    assert image.content_type == f"image/{TYPES[output].lower()}"
    assert opened(image).format == TYPES[output]
    assert opened(image).info["icc_profile"] == SRGB


def test_jpeg_is_white_where_the_picture_is_transparent() -> None:
    pixels = np.asarray(opened(encoded("jpg")))
    assert difference(pixels[:10, :10], np.full((10, 10, 3), 255, np.uint8)).max() <= 2


@pytest.mark.parametrize("output", ["png", "webp"])
def test_a_matte_in_a_lossless_format_is_grey_and_exact_and_has_no_profile(output: str) -> None:
    image = opened(encoded(output, is_matte=True))
    assert "icc_profile" not in image.info
    channels = np.asarray(image.convert("RGB"))
    assert np.array_equal(channels, np.repeat(disc(120, 160, 40)[..., np.newaxis], 3, 2))


def test_a_matte_is_a_grey_png_or_jpeg() -> None:
    assert opened(encoded("png", is_matte=True)).mode == "L"
    jpeg = opened(encoded("jpg", is_matte=True))
    assert jpeg.mode == "L"
    assert difference(np.asarray(jpeg), disc(120, 160, 40)).max() < 20


@pytest.mark.parametrize("is_matte", [False, True])
def test_a_zip_has_a_jpeg_of_the_colours_and_a_png_of_the_matte(is_matte: bool) -> None:  # noqa: FBT001 - a parameter of the test
    image = encoded("zip", is_matte=is_matte)
    assert image.content_type == "application/zip"
    with ZipFile(BytesIO(image.data)) as archive:
        colours = Image.open(archive.open("color.jpg"))
        alpha = Image.open(archive.open("alpha.png"))
        assert (colours.format, colours.mode) == ("JPEG", "RGB")
        assert (alpha.format, alpha.mode, set(alpha.info)) == ("PNG", "L", set())
        assert colours.info["icc_profile"] == SRGB
        assert np.array_equal(np.asarray(alpha), disc(120, 160, 40))
        assert difference(np.asarray(colours), astronaut(120, 160)).mean() < 3


def test_the_zip_of_an_opaque_picture_has_a_white_matte() -> None:
    with ZipFile(BytesIO(encoded("zip", Picture(noise(20, 30), None)).data)) as archive:
        alpha = np.asarray(Image.open(archive.open("alpha.png")))
    assert np.array_equal(alpha, np.full((20, 30), 255, np.uint8))


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("is_matte", [False, True])
def test_the_same_pixels_give_the_same_bytes(output: str, is_matte: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert encoded(output, is_matte=is_matte) == encoded(output, is_matte=is_matte)


@pytest.mark.parametrize("output", FORMATS)
def test_a_file_with_exactly_the_maximum_size_is_unchanged(output: str) -> None:
    image = encoded(output)
    assert encoded(output, max_bytes=len(image.data)) == image


@pytest.mark.parametrize("has_alpha", [True, False])
def test_a_png_above_the_limit_is_compressed_further_without_loss(*, has_alpha: bool) -> None:
    large = astronaut().repeat(2, axis=1)
    picture = Picture(large, disc(512, 1024, 250) if has_alpha else None)
    image = encoded("png", picture)
    smaller = encoded("png", picture, max_bytes=len(image.data) - 1, can_change_format=False)
    assert len(smaller.data) < len(image.data)
    assert np.array_equal(np.asarray(opened(smaller)), np.asarray(opened(image)))


def test_a_jpeg_above_the_limit_is_compressed_further_without_loss() -> None:
    image = encoded("jpg")
    smaller = encoded("jpg", max_bytes=len(image.data) - 1)
    assert len(smaller.data) < len(image.data)
    assert np.array_equal(np.asarray(opened(smaller)), np.asarray(opened(image)))


@pytest.mark.parametrize(
    ("accepted", "content_type"),
    [
        (("image/webp", "application/zip"), "image/webp"),
        (("image/webp",), "image/webp"),
        (("application/zip",), "application/zip"),
    ],
)
def test_with_format_auto_a_png_above_the_limit_becomes_a_format_that_the_client_accepts(
    accepted: tuple[str, ...], content_type: str
) -> None:
    assert encoded("png", max_bytes=8_000, accepted=accepted).content_type == content_type


@pytest.mark.parametrize(
    ("side_px", "accepted", "content_type"),
    [
        (16_384, ("image/webp", "application/zip"), "application/zip"),
        (16_384, ("image/webp",), None),
        (65_501, ("image/webp", "application/zip"), None),
    ],
)
def test_format_auto_never_chooses_a_format_that_cannot_hold_sides_of_this_length(
    side_px: int, accepted: tuple[str, ...], content_type: str | None
) -> None:
    long = Picture(noise(4, side_px) // 4 + 90, np.full((4, side_px), 99, np.uint8))
    if content_type is None:
        with pytest.raises(ResultTooLargeError):
            encoded("png", long, max_bytes=150_000, accepted=accepted)
    else:
        image = encoded("png", long, max_bytes=150_000, accepted=accepted)
        assert image.content_type == content_type


def test_with_format_auto_an_error_is_raised_if_all_accepted_formats_are_too_large() -> None:
    smallest = min(len(encoded(name).data) for name in ("webp", "zip"))
    with pytest.raises(ResultTooLargeError):
        encoded("png", max_bytes=smallest - 1, accepted=("image/webp", "application/zip"))


@pytest.mark.parametrize("output", FORMATS)
def test_the_error_for_a_too_large_result_suggests_a_smaller_size_and_for_png_also_zip(
    output: str,
) -> None:
    with pytest.raises(ResultTooLargeError, match=r"999 bytes.*'size'") as raised:
        encoded(output, max_bytes=999, accepted=("image/webp", "application/zip"))
    assert ("format=zip" in raised.value.message) is (output == "png")


@pytest.mark.parametrize("accepted", [(), ("image/webp", "application/zip")])
def test_a_requested_png_never_changes_its_format(accepted: tuple[str, ...]) -> None:
    with pytest.raises(ResultTooLargeError):
        encoded("png", max_bytes=8_000, accepted=accepted, can_change_format=False)


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, "png"),
        ({"colour": (1, 2, 3, 255)}, "jpg"),
        ({"colour": (1, 2, 3, 254)}, "png"),
        ({"background": b"image"}, "jpg"),
        ({"colour": (1, 2, 3, 255), "channels": "alpha"}, "png"),
        ({"output": "webp"}, "webp"),
        ({"output": "jpg", "channels": "alpha"}, "jpg"),
    ],
)
def test_the_automatic_format_is_jpeg_only_with_an_opaque_background(
    fields: dict[str, object], output: str
) -> None:
    assert guess_output(RemovalOptions(**fields)) == output  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("output", "max_megapixels", "pixels", "side_px"),
    [
        ("png", 50, 10_000_000, 1_000_000),
        ("png", 0.25, 250_000, 1_000_000),
        ("jpg", 50, 50_000_000, 65_500),
        ("zip", 25, 25_000_000, 65_500),
        ("webp", 50, 36_000_000, 16_383),
    ],
)
def test_the_largest_size_depends_on_the_format_and_on_the_maximum_megapixels(
    output: str, max_megapixels: float, pixels: int, side_px: int
) -> None:
    limit = largest(output, max_megapixels)
    assert (limit.pixels, limit.side_px) == (pixels, side_px)
