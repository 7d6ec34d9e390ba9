from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.pictures import astronaut, disc, noise, saved

from blur.errors import NoSubjectError
from blur.imaging.removal.options import RemovalOptions
from blur.imaging.removal.remove import STEPS, Foreground, RemovedBackground, remove_background

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8

LIMIT = 1_000_000


class DiscPredictor:
    """A predictor that finds a disc in the middle of every photo."""

    side_px = 320

    def __init__(self, radius: float = 90) -> None:
        self.radius = radius
        self.input_shape: tuple[int, ...] = ()

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        self.input_shape = photo.shape
        return disc(320, 320, self.radius, 6).astype(np.float32) / np.float32(255)


def removed(data: bytes, **options: Any) -> RemovedBackground:  # noqa: ANN401 - the options' fields
    return remove_background(
        data,
        RemovalOptions(**{"max_megapixels": 25, **options}),
        model=DiscPredictor(),
        max_pixels=LIMIT,
    )


def pixels_of(result: RemovedBackground) -> RgbU8:
    return np.asarray(Image.open(BytesIO(result.image.data)))


def photo_file(height: int = 300, width: int = 400) -> bytes:
    return saved(Image.fromarray(astronaut(height, width)), "PNG")


def test_the_result_is_a_transparent_png_with_the_photos_own_pixels() -> None:
    result = removed(photo_file())
    assert result.image.content_type == "image/png"
    assert result.size == result.max_size == (400, 300)
    pixels = pixels_of(result)
    opaque = pixels[..., 3] == 255
    assert opaque.mean() > 0.2
    assert np.array_equal(pixels[opaque][:, :3], astronaut(300, 400)[opaque])
    assert (pixels[0] == pixels[0, 0]).all()
    assert pixels[0, 0, 3] == 0


def test_the_foreground_is_the_smallest_box_with_all_visible_pixels() -> None:
    result = removed(photo_file())
    rows, columns = np.nonzero(pixels_of(result)[..., 3])
    top, left = int(rows.min()), int(columns.min())
    expected = Foreground(top, left, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top)
    assert result.foreground == expected


def test_a_preview_has_a_quarter_of_a_megapixel_and_the_aspect_of_the_photo() -> None:
    result = removed(saved(Image.fromarray(noise(600, 800)), "PNG"), max_megapixels=0.25)
    assert result.size == (577, 433)
    assert result.max_size == (800, 600)


def test_on_step_gets_each_step_before_it_begins() -> None:
    steps: list[str] = []
    remove_background(
        photo_file(),
        RemovalOptions(),
        model=DiscPredictor(),
        max_pixels=LIMIT,
        on_step=steps.append,
    )
    assert tuple(steps) == STEPS


def test_a_photo_whose_subject_is_invisible_has_no_subject() -> None:
    transparent = np.dstack((noise(90, 80), np.zeros((90, 80), np.uint8)))
    with pytest.raises(NoSubjectError):
        removed(saved(Image.fromarray(transparent), "PNG"))
