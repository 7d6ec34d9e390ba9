"""Results with a colour or an image as the background."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.pictures import astronaut, disc, saved
from tests.unit.imaging.predictors import DiscPredictor
from tests.unit.imaging.removal.removed_photos import LIMIT, photo_file, pixels_of, removed

from blur.imaging.removal.options import Margins, RemovalOptions
from blur.imaging.removal.remove import remove_background
from blur.imaging.roi import Length
from blur.removal_errors import InvalidBgImageError


@pytest.mark.parametrize(
    "background",
    [b"text", photo_file()[:-200], saved(Image.new("RGB", (1001, 1000)), "PNG")],
    ids=["text", "truncated", "too large"],
)
@pytest.mark.parametrize("options", [{}, {"crop": True}])
def test_an_invalid_background_is_rejected_before_the_models_run(
    background: bytes, options: dict[str, Any]
) -> None:
    model = DiscPredictor()
    steps: list[str] = []
    with pytest.raises(InvalidBgImageError):
        remove_background(
            photo_file(),
            RemovalOptions(background=background, **options),
            model=model,
            max_pixels=LIMIT,
            on_step=steps.append,
        )
    assert model.input_shape == ()
    assert steps == ["decode"]


def test_a_background_is_not_read_if_only_the_matte_is_requested() -> None:
    result = removed(photo_file(), channels="alpha", background=b"text")
    assert result.size == (400, 300)


def test_a_background_keeps_its_detail_in_a_frame_that_is_larger_than_the_photo() -> None:
    lines = np.zeros((900, 900, 3), np.uint8)
    lines[:, ::2] = 255
    side = Length(500, is_percent=False)
    result = removed(
        photo_file(300, 300),
        crop=True,
        crop_margin=Margins(side, side, side, side),
        background=saved(Image.fromarray(lines), "JPEG", quality=100, subsampling=0),
        output="png",
    )
    assert min(result.size) > 1100
    assert pixels_of(result)[:400, :400].std() > 60


@pytest.mark.parametrize("background", [{}, {"colour": (255, 0, 0, 255)}])
def test_the_matte_is_the_alpha_of_the_cutout_with_and_without_a_background_colour(
    background: dict[str, Any],
) -> None:
    result = removed(photo_file(), channels="alpha", scale=0.6, **background)
    assert result.image.content_type == "image/png"
    cutout = removed(photo_file(), scale=0.6)
    assert np.array_equal(pixels_of(result), pixels_of(cutout)[..., 3])
    assert result.foreground == cutout.foreground


def test_a_background_colour_fills_the_rest_of_the_result_which_is_a_jpeg() -> None:
    result = removed(photo_file(), colour=(255, 0, 255, 255))
    assert result.image.content_type == "image/jpeg"
    exact = pixels_of(removed(photo_file(), colour=(255, 0, 255, 255), output="png"))
    assert exact.shape == (300, 400, 3)
    cutout = pixels_of(removed(photo_file()))
    assert (exact[cutout[..., 3] == 0] == (255, 0, 255)).all()
    opaque = cutout[..., 3] == 255
    assert np.array_equal(exact[opaque], astronaut(300, 400)[opaque])


def test_a_half_transparent_background_colour_gives_a_png_with_the_alpha_of_the_colour() -> None:
    result = removed(photo_file(), colour=(255, 0, 255, 128))
    assert result.image.content_type == "image/png"
    pixels = pixels_of(result)
    cutout = pixels_of(removed(photo_file()))
    assert (pixels[cutout[..., 3] == 0] == (255, 0, 255, 128)).all()
    assert (pixels[cutout[..., 3] == 255][:, 3] == 255).all()
    assert result.foreground == removed(photo_file()).foreground


def test_a_background_image_fills_the_cropped_frame() -> None:
    background = saved(Image.new("RGB", (33, 44), (10, 200, 30)), "PNG")
    result = removed(photo_file(), crop=True, background=background, output="png")
    cutout = pixels_of(removed(photo_file(), crop=True))
    assert (pixels_of(result)[cutout[..., 3] == 0] == (10, 200, 30)).all()


def test_a_transparent_background_image_makes_a_png() -> None:
    background = saved(Image.new("RGBA", (33, 44), (10, 200, 30, 77)), "PNG")
    result = removed(photo_file(), background=background)
    assert result.image.content_type == "image/png"
    assert (pixels_of(result)[0] == (10, 200, 30, 77)).all()


@pytest.mark.parametrize("level", [0, 255])
def test_the_subject_has_no_halo_of_its_old_background(level: int) -> None:
    """The photo is a grey disc in front of green. Over black or white, no pixel looks green.

    Without decontamination, the green value of some pixels would be 64 above their red value.
    """
    matte = disc(320, 320, 90, 6)[..., np.newaxis] / 255
    photo = matte * 90 + (1 - matte) * np.array((0, 255, 0))
    data = saved(Image.fromarray(photo.astype(np.uint8)), "PNG")
    pixels = pixels_of(removed(data, colour=(level, level, level, 255), output="png")).astype(int)
    assert (pixels[..., 1] - pixels[..., 0]).max() <= 30
