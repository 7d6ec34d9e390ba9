"""The watermark of test keys, and attempts to remove it."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.pictures import astronaut, saved

from blur.imaging.blur_options import BlurOptions
from blur.imaging.matting.models import get_model_spec
from blur.imaging.matting.session import open_model
from blur.imaging.pipeline import blur_photo
from blur.imaging.watermark import DETAIL_PX, _detail_shape, add_watermark
from blur.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8

CLOSE = 4
"""A pixel is recovered if each channel differs by at most this many levels of 256 from the paid
result, which has no watermark."""
MAX_RECOVERED = 0.01
"""The largest share of pixels that an attack can recover."""
SIDE = 256
SHIFT = 21
"""The number of rows and columns that some `VARIANTS` cut off: about half the width of a letter."""

Call = Callable[["RgbU8"], "RgbU8"]
"""A function that sends an image, and returns the result aligned with this image."""
Planes: TypeAlias = "NDArray[np.int16]"
"""The channels of the part `INSIDE` of one or more images, (..., channels, H, W)."""


def marked(image: RgbU8) -> RgbU8:
    return add_watermark(image, None)[0]


def crop(rows: slice, columns: slice) -> Callable[[Call, RgbU8], RgbU8]:
    """Return a function that sends a part of an image, and puts the result on a black image."""

    def send(call: Call, pixels: RgbU8) -> RgbU8:
        result = np.zeros_like(pixels)
        result[rows, columns] = call(np.ascontiguousarray(pixels[rows, columns]))
        return result

    return send


def transform(forward: Callable[[RgbU8], RgbU8], inverse: Callable[[RgbU8], RgbU8]) -> object:
    return lambda call, image: inverse(call(np.ascontiguousarray(forward(image))))


VARIANTS: dict[str, object] = {
    "unchanged": lambda call, image: call(image),
    "mirrored": transform(np.fliplr, np.fliplr),
    "upside down": transform(np.flipud, np.flipud),
    "rotated": transform(np.rot90, lambda image: np.rot90(image, -1)),
    "cropped at the left and top": crop(slice(SHIFT, None), slice(SHIFT, None)),
    "cropped at the right and bottom": crop(slice(None, -SHIFT), slice(None, -SHIFT)),
    "brighter": lambda call, image: call(np.clip(image, 0, 249) + np.uint8(6)) - np.uint8(6),
}
INSIDE = (slice(SHIFT, -SHIFT), slice(SHIFT, -SHIFT))
"""The part of an image that is in the results of all `VARIANTS`."""


def planes(image: RgbU8) -> Planes:
    """Return the channels of the part `INSIDE` of an image, (channels, H, W).

    NumPy compares whole planes much faster than the three channels of each pixel.
    """
    return np.ascontiguousarray(image[INSIDE].transpose(2, 0, 1)).astype(np.int16)


def nearest_to_the_photo(results: Planes, photo: Planes) -> Planes:
    """For each pixel, take the colour in the results that differs least from the photo."""
    nearest: Planes = results[0]
    least = np.abs(results[0] - photo).max(axis=0)
    for result in results[1:]:
        difference = np.abs(result - photo).max(axis=0)
        nearest = np.where(difference < least, result, nearest)
        least = np.minimum(difference, least)
    return nearest


def mean(results: Planes, _: Planes) -> NDArray[np.float32]:
    total = results.sum(axis=0, dtype=np.int16)
    return np.asarray(total / np.float32(len(results)))


def median(results: Planes, photo: Planes) -> NDArray[np.float32]:
    """Return the median. For a few results, this is much faster than `np.median`."""
    if len(results) <= 2:
        return mean(results, photo)
    if len(results) != 4:
        return np.asarray(np.median(results, axis=0), np.float32)
    ends = results.min(axis=0) + results.max(axis=0)
    return np.asarray((results.sum(axis=0, dtype=np.int16) - ends) / np.float32(2))


COMBINATIONS: dict[str, Callable[[Planes, Planes], NDArray[Any]]] = {
    "median": median,
    "mean": mean,
    "darkest": lambda results, _: np.min(results, axis=0),
    "brightest": lambda results, _: np.max(results, axis=0),
    "nearest to the photo": nearest_to_the_photo,
}


def recovered(attempt: NDArray[Any], paid: Planes) -> float:
    """Return the share of pixels that are almost equal to the pixels of the paid result."""
    return float((np.abs(attempt - paid).max(axis=0) <= CLOSE).mean())


def attacks(call: Call, photo: RgbU8, paid: RgbU8) -> dict[str, float]:
    """Return the share of pixels that each combination of 1, 2 or 4 results recovers."""
    sent = {name: send(call, photo) for name, send in VARIANTS.items() if callable(send)}
    results = {name: planes(result) for name, result in sent.items()}
    aim, target = planes(photo), planes(paid)
    return {
        f"{how} of {', '.join(names)}": recovered(
            combine(np.stack([results[name] for name in names]), aim), target
        )
        for count in (1, 2, 4)
        for names in combinations(results, count)
        for how, combine in COMBINATIONS.items()
    }


PICTURES: dict[str, Callable[[], RgbU8]] = {
    "photo": lambda: astronaut(SIDE, SIDE),
    "blurred": lambda: cv2.GaussianBlur(astronaut(SIDE, SIDE), (0, 0), 12),
    "gradient": lambda: np.tile(np.arange(SIDE, dtype=np.uint8)[:, None, None], (1, SIDE, 3)),
    "white": lambda: np.full((SIDE, SIDE, 3), 255, np.uint8),
}


@pytest.mark.parametrize("image", PICTURES)
def test_combining_results_does_not_remove_the_watermark(image: str) -> None:
    paid = PICTURES[image]()
    assert max(attacks(marked, paid, paid).values()) <= MAX_RECOVERED


@pytest.mark.usefixtures("shared_networks")
def test_combining_results_of_the_pipeline_does_not_remove_the_watermark(model_dir: Path) -> None:
    model = open_model(get_model_spec(Settings().model), model_dir, threads=1)
    options = BlurOptions(radius_px=9, kernel="gaussian", mode="background", output="png")

    def call(image: RgbU8, *, watermarked: bool = True) -> RgbU8:
        data = saved(Image.fromarray(image), "PNG")
        limit = Settings().max_pixels
        result = blur_photo(data, options, model=model, max_pixels=limit, watermarked=watermarked)
        return np.asarray(Image.open(io.BytesIO(result.image.data)))

    photo = astronaut(SIDE, SIDE)
    worst = max(attacks(call, photo, call(photo, watermarked=False)).values())
    assert worst <= MAX_RECOVERED


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (64, 64), (900, 600), (2, 1_000_001)])
def test_the_watermark_changes_every_pixel_and_keeps_the_size(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 77, np.uint8)
    result, alpha = add_watermark(image, np.full(shape, 255, np.uint8))
    assert alpha is not None
    assert (result.shape, alpha.shape) == (image.shape, shape)
    assert np.abs(result.astype(np.int16) - 77).max(axis=2).min() > CLOSE
    assert alpha.max() <= 255 - 2 * CLOSE
    assert (image == 77).all()


def test_a_large_result_with_a_watermark_has_no_more_detail_than_a_small_result() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2000, 1500, 3), np.uint8)
    step = (2000 * 1500 / DETAIL_PX) ** 0.5
    result = marked(noise).astype(np.float32)
    fine = np.abs(np.diff(result, axis=0)).mean()
    assert fine < np.abs(np.diff(noise.astype(np.float32), axis=0)).mean() / step**2


def test_the_text_is_visible_on_transparent_pixels_and_the_subject_is_visible_behind_the_text() -> (
    None
):
    alpha = np.zeros((200, 200), np.uint8)
    alpha[50:150, 50:150] = 255
    result, veiled = add_watermark(np.zeros((200, 200, 3), np.uint8), alpha)
    assert veiled is not None
    outside = veiled[:40]
    assert 0.1 < (outside > 150).mean() < 0.6
    assert CLOSE < outside.min() <= np.median(outside) < 60
    assert np.median(veiled[60:140, 60:140]) > 190
    assert np.abs(veiled.astype(np.int16) - alpha).min() > CLOSE
    letters = result[:40][outside > 150]
    assert letters.max() > 100
    assert letters.min() < 20


def test_combining_results_does_not_remove_the_watermark_from_alpha() -> None:
    alpha = cv2.GaussianBlur(astronaut(SIDE, SIDE)[..., 0], (0, 0), 3)
    alpha = np.clip(alpha.astype(np.float32) * 3 - 300, 0, 255).astype(np.uint8)
    image = astronaut(SIDE, SIDE)

    def call(sent: RgbU8) -> RgbU8:
        veiled = add_watermark(
            np.ascontiguousarray(sent[..., :3]), np.ascontiguousarray(sent[..., 3])
        )[1]
        assert veiled is not None
        return np.dstack([veiled] * 4)

    both = np.dstack([image, alpha])
    paid = np.dstack([alpha] * 4)
    certain = (alpha == 0) | (alpha == 255)
    results = [planes(send(call, both)) for send in VARIANTS.values() if callable(send)]
    for combine in COMBINATIONS.values():
        attempt = combine(np.stack(results), planes(paid))
        close = np.abs(attempt[0] - alpha[INSIDE]) <= CLOSE
        assert close[certain[INSIDE]].mean() <= MAX_RECOVERED


@pytest.mark.parametrize("shape", [(1, 2_000_000), (2_000_000, 1), (1, 10)])
def test_the_small_copy_for_the_watermark_has_a_limited_size(shape: tuple[int, int]) -> None:
    height, width = _detail_shape(shape)
    assert 1 <= height * width <= DETAIL_PX
