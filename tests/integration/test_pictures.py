"""The real model on real photos, and on images without a subject."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation, gaussian_filter
from skimage import data
from tests.networks import open_shared

from blur.errors import NoSubjectError
from blur.imaging.blur_options import BlurOptions
from blur.imaging.compositing.scene import Scene
from blur.imaging.matting.matte import find_matte
from blur.imaging.matting.models import MODELS
from blur.imaging.modes import blur_background
from blur.imaging.pipeline import blur_photo

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.matting.session import Model

RADII = (0, 2, 5, 15)
FACES = {
    "astronaut": (slice(60, 130), slice(195, 260)),
    "chelsea": (slice(90, 200), slice(110, 240)),
}
"""The rows and columns of a rectangle inside each face."""


@pytest.fixture(scope="module")
def model(model_dir: Path) -> Model:
    return open_shared(MODELS["u2netp-light"], model_dir)


def photo_of(name: str) -> RgbU8:
    return np.array(getattr(data, name)())


def png(picture: RgbU8) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def blurred(model: Model, picture: RgbU8, radius_px: int, mode: str = "background") -> RgbU8:
    encoded = blur_photo(
        png(picture),
        BlurOptions(radius_px=radius_px, mode=mode),
        model=model,
        max_pixels=picture.size,
    ).image
    return np.array(Image.open(BytesIO(encoded.data)))


def high_frequency_energy(picture: RgbU8, where: AlphaU8) -> float:
    """Return the mean squared difference from a Gaussian blur of 4 px, where `where` is above 0."""
    grey = picture.mean(axis=2)
    detail = grey - gaussian_filter(grey, 4)
    return float((detail[where > 0] ** 2).mean())


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize("radius_px", [5, 50])
def test_blur_leaves_the_face_almost_unchanged(model: Model, name: str, radius_px: int) -> None:
    photo, face = photo_of(name), FACES[name]
    result = blurred(model, photo, radius_px)
    assert result.shape == photo.shape
    changed = np.abs(result[face].astype(int) - photo[face])
    assert changed.mean() < 0.5
    assert np.mean(changed.max(axis=2) == 0) > 0.95


@pytest.mark.parametrize("name", FACES)
def test_blur_does_not_change_pixels_where_the_matte_is_opaque(model: Model, name: str) -> None:
    photo = photo_of(name)
    sure = find_matte(model, photo) == 255
    assert sure.mean() > 0.1
    np.testing.assert_array_equal(blurred(model, photo, 20)[sure], photo[sure])


@pytest.mark.parametrize("name", FACES)
def test_the_background_loses_detail_as_the_radius_increases(model: Model, name: str) -> None:
    photo = photo_of(name)
    matte = find_matte(model, photo)
    far_behind = (~binary_dilation(matte > 0, iterations=16)).astype(np.uint8)
    results = (blur_background(Scene.decompose(photo, matte), radius_px) for radius_px in RADII)
    energy = [high_frequency_energy(result, far_behind) for result in results]
    assert all(wider < narrower for narrower, wider in pairwise(energy))
    assert energy[-1] < energy[0] / 20


def test_a_cutout_hides_the_background_and_shows_the_face(model: Model) -> None:
    photo, face = photo_of("astronaut"), FACES["astronaut"]
    result = blurred(model, photo, 0, mode="cutout")
    assert result.shape == (512, 512, 4)
    assert result[face][..., 3].min() > 230
    assert result[:60, 300:400, 3].max() < 20


def images_without_a_subject() -> dict[str, RgbU8]:
    y, x = np.mgrid[:300, :400]
    grey = {
        "flat": np.full((300, 400), 90),
        "black": np.zeros((300, 400)),
        "gradient": x * 255 / 399,
        "noise": np.random.default_rng(0).integers(0, 256, (300, 400)),
        "stripes": (x // 20 % 2) * 255,
        "checkerboard": ((x // 25 + y // 25) % 2) * 255,
    }
    return {name: np.dstack([one] * 3).astype(np.uint8) for name, one in grey.items()}


@pytest.mark.parametrize("name", images_without_a_subject())
def test_an_image_without_a_subject_is_rejected(model: Model, name: str) -> None:
    with pytest.raises(NoSubjectError):
        blurred(model, images_without_a_subject()[name], 10)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_photos_of_a_person_a_cat_and_a_cup_each_have_a_subject(model: Model, name: str) -> None:
    assert find_matte(model, photo_of(name)).max() > 250


def test_colours_of_transparent_pixels_do_not_change_the_matte(model: Model) -> None:
    photo = photo_of("astronaut")
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[:, 400:] = 0
    other = photo.copy()
    other[:, 400:] = np.random.default_rng(0).integers(0, 256, other[:, 400:].shape)
    np.testing.assert_array_equal(find_matte(model, photo, alpha), find_matte(model, other, alpha))
