from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import Base
from tests.unit.imaging.icc_profiles import SRGB, display_p3
from tests.unit.imaging.pictures import (
    astronaut,
    difference,
    flat,
    marked,
    noise,
    random_alpha,
    saved,
)

from blur.imaging.decode.decoder import Photo, decode
from blur.imaging.removal.background import (
    Picture,
    draw_background,
    fill_colour,
    put_behind,
    read_background,
)
from blur.imaging.removal.options import RemovalOptions
from blur.removal_errors import InvalidBgImageError

LIMIT = 1_000_000


def read_image(
    data: bytes, shape: tuple[int, int], icc_profile: bytes | None, max_pixels: int
) -> Picture:
    """Read the file of a background, and draw the background for a frame of `shape`."""
    options = RemovalOptions(background=data)
    background = read_background(options, max(shape), max_pixels)
    assert background is not None
    return draw_background(background, shape, icc_profile)


def thirds(height: int, width: int) -> bytes:
    """Return a PNG with a red, a green and a blue third, from left to right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for third in range(3):
        pixels[:, third * width // 3 : (third + 1) * width // 3, third] = 255
    return saved(Image.fromarray(pixels), "PNG")


def test_a_background_as_large_as_the_frame_keeps_its_exact_pixels() -> None:
    pixels = noise(30, 50)
    picture = read_image(saved(Image.fromarray(pixels), "PNG"), (30, 50), None, LIMIT)
    assert np.array_equal(picture.colours, pixels)
    assert picture.alpha is None


def test_a_background_wider_than_the_frame_is_cropped_on_the_left_and_the_right() -> None:
    picture = read_image(thirds(30, 90), (60, 60), None, LIMIT)
    assert picture.colours.shape == (60, 60, 3)
    assert np.array_equal(picture.colours[10:-10, 10:-10], flat(40, 40, (0, 255, 0)))


def test_a_background_taller_than_the_frame_is_cropped_at_the_top_and_the_bottom() -> None:
    tall = Image.open(BytesIO(thirds(30, 90))).rotate(90, expand=True)
    picture = read_image(saved(tall, "PNG"), (20, 20), None, LIMIT)
    assert np.array_equal(picture.colours[4:-4, 4:-4], flat(12, 12, (0, 255, 0)))


@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 80), st.integers(1, 80))
def test_a_background_image_covers_a_frame_of_any_size(
    height: int, width: int, rows: int, columns: int
) -> None:
    data = saved(Image.new("RGB", (width, height), (9, 90, 200)), "PNG")
    picture = read_image(data, (rows, columns), None, LIMIT)
    assert np.array_equal(picture.colours, flat(rows, columns, (9, 90, 200)))


def test_a_background_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    image = marked()
    picture = read_image(saved(image, "PNG", exif=exif), (40, 24), None, LIMIT)
    assert np.array_equal(picture.colours, np.asarray(image.rotate(-90, expand=True)))


def test_a_cmyk_background_is_converted_to_rgb() -> None:
    data = saved(Image.new("CMYK", (40, 30), (0, 255, 255, 0)), "JPEG")
    colours = read_image(data, (30, 40), None, LIMIT).colours
    assert difference(colours, flat(30, 40, (255, 0, 0))).max() < 20


def test_a_16_bit_background_is_converted_to_8_bits() -> None:
    samples = (noise(30, 40).astype(np.uint16) << 8) + 77
    file = cv2.imencode(".png", samples[..., ::-1])[1].tobytes()
    colours = read_image(file, (30, 40), None, LIMIT).colours
    assert difference(colours, noise(30, 40)).max() <= 1


def test_a_large_jpeg_background_is_cropped_and_scaled_to_the_frame() -> None:
    pixels = astronaut()
    data = saved(Image.fromarray(pixels), "JPEG", quality=95)
    colours = read_image(data, (100, 120), None, LIMIT).colours
    full = decode(data, max_pixels=LIMIT).pixels
    expected = cv2.resize(full[42:469], (12, 10), interpolation=cv2.INTER_AREA)
    small = cv2.resize(colours, (12, 10), interpolation=cv2.INTER_AREA)
    assert difference(small, expected).mean() < 2


def test_the_colours_of_a_background_are_converted_to_the_profile_of_the_photo() -> None:
    data = saved(Image.new("RGB", (40, 30), (255, 0, 0)), "PNG", icc_profile=SRGB)
    wide = read_image(data, (30, 40), display_p3(), LIMIT).colours[0, 0]
    assert np.abs(wide - np.array([234, 51, 35])).max() <= 3
    tagged = saved(Image.new("RGB", (40, 30), tuple(wide)), "PNG", icc_profile=display_p3())
    back = read_image(tagged, (30, 40), None, LIMIT).colours[0, 0]
    assert np.abs(back - np.array([255, 0, 0])).max() <= 3


@pytest.mark.parametrize("data", [b"", b"text", noise(20, 20).tobytes(), thirds(30, 90)[:-60]])
def test_an_unreadable_background_raises_the_error_for_background_images(data: bytes) -> None:
    with pytest.raises(InvalidBgImageError, match="background image"):
        read_image(data, (30, 40), None, LIMIT)


def test_a_background_with_more_pixels_than_the_limit_is_rejected() -> None:
    with pytest.raises(InvalidBgImageError, match="2699 pixels"):
        read_image(thirds(30, 90), (30, 40), None, 2_699)
    assert read_image(thirds(30, 90), (30, 40), None, 2_700).alpha is None


def test_without_a_background_option_there_is_no_background() -> None:
    assert read_background(RemovalOptions(), 4, LIMIT) is None


def test_a_jpeg_is_decoded_with_enough_pixels_for_the_result() -> None:
    data = saved(Image.new("RGB", (1000, 800), (9, 9, 9)), "JPEG")
    shapes = {}
    for side_px in (800, 401, 400, 150):
        background = read_background(RemovalOptions(background=data), side_px, LIMIT)
        assert isinstance(background, Photo)
        shapes[side_px] = background.pixels.shape[:2]
    assert shapes == {800: (800, 1000), 401: (800, 1000), 400: (400, 500), 150: (200, 250)}


def test_a_background_colour_is_kept_exactly_and_is_opaque_only_if_its_alpha_is_255() -> None:
    opaque = fill_colour((1, 2, 3, 255), (5, 6), None)
    assert opaque.is_opaque
    assert np.array_equal(opaque.colours, flat(5, 6, (1, 2, 3)))
    half = fill_colour((1, 2, 3, 128), (5, 6), SRGB)
    assert np.array_equal(half.colours, flat(5, 6, (1, 2, 3)))
    assert not half.is_opaque


def test_an_opaque_background_gives_an_opaque_picture() -> None:
    subject = Picture(noise(20, 30), random_alpha(20, 30))
    result = put_behind(subject, Picture(noise(20, 30, 1), None))
    assert result.alpha is None
    assert subject.alpha is not None
    weights = subject.alpha[..., np.newaxis] / 255
    expected = weights * noise(20, 30) + (1 - weights) * noise(20, 30, 1)
    assert np.abs(result.colours - expected).max() <= 1


@given(st.integers(0, 255), st.integers(0, 255))
def test_a_result_with_a_translucent_background_looks_right_over_any_colour(
    front: int, back: int
) -> None:
    """Check that the result over a colour equals the two layers over this colour.

    The background is composited over the colour first, and then the subject over the background.
    """
    subject = Picture(noise(4, 5), np.full((4, 5), front, np.uint8))
    background = Picture(noise(4, 5, 1), np.full((4, 5), back, np.uint8))
    colours, alpha = put_behind(subject, background)
    assert alpha is not None
    for behind in (0.0, 100.0, 255.0):
        below = over(background.colours, back, behind)
        expected = over(subject.colours, front, below)
        assert np.abs(over(colours, int(alpha[0, 0]), behind) - expected).max() <= 1.6


def over(
    colours: np.typing.NDArray[np.uint8], alpha: int, behind: np.typing.NDArray[np.float64] | float
) -> np.typing.NDArray[np.float64]:
    return alpha / 255 * colours.astype(np.float64) + (1 - alpha / 255) * behind


def test_opaque_pixels_keep_their_colours_over_a_translucent_background() -> None:
    alpha = random_alpha(20, 30)
    alpha[:10] = 255
    alpha[10:15] = 0
    background = Picture(noise(20, 30, 1), random_alpha(20, 30, 2))
    colours, total = put_behind(Picture(noise(20, 30), alpha), background)
    assert total is not None
    assert background.alpha is not None
    assert np.array_equal(colours[:10], noise(20, 30)[:10])
    assert (total[:10] == 255).all()
    assert np.array_equal(total[10:15], background.alpha[10:15])
    shown = total[10:15] > 0
    assert np.array_equal(colours[10:15][shown], background.colours[10:15][shown])
