"""The halo around a subject whose colours, background and matte are known exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tests.unit.imaging.pictures import disc, gaussian_blur, sample_photo

from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.scene import Scene
from blur.imaging.modes import blur_background

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8

SIDE = 400


class Composite(NamedTuple):
    foreground: RgbU8
    background: RgbU8
    matte: AlphaU8

    @property
    def photo(self) -> RgbU8:
        return composite(*self)

    @property
    def edge(self) -> np.ndarray:
        return np.asarray((self.matte > 5) & (self.matte < 250))

    def ideal(self, radius: float) -> np.ndarray:
        """Return the foreground over the background; only the background is blurred."""
        weight = self.matte[..., np.newaxis] / 255
        blurred = gaussian_blur(self.background, (radius, radius, 0))
        return np.asarray(weight * self.foreground + (1 - weight) * blurred)

    def error(self, result: RgbU8, ideal: np.ndarray) -> float:
        return float(np.abs(result - ideal)[self.edge].mean())


def coarse_strands() -> AlphaU8:
    """Return a matte: a disc with soft strands at its edge, like fur."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    fray = 12 * np.sin(40 * np.arctan2(y, x))
    ramp = np.clip((110 + fray - np.hypot(y, x)) / 6 + 0.5, 0, 1)
    matte: AlphaU8 = np.rint(255 * ramp).astype(np.uint8)
    return matte


def portrait() -> RgbU8:
    return sample_photo("astronaut")[:SIDE, :SIDE]


def table() -> RgbU8:
    return sample_photo("coffee")[:SIDE, :SIDE]


def cat() -> RgbU8:
    return np.array(Image.fromarray(sample_photo("chelsea")).resize((SIDE, SIDE)))


SCENES: dict[str, Callable[[], Composite]] = {
    "a portrait in front of a table": lambda: Composite(
        portrait(), table(), disc(SIDE, SIDE, 120, 6)
    ),
    "a table in front of a cat": lambda: Composite(table(), cat(), coarse_strands()),
    "a cat in front of a table": lambda: Composite(cat(), table(), disc(SIDE, SIDE, 100, 10)),
}


def plain_blur(scene: Composite, radius: float) -> RgbU8:
    blurred = Image.fromarray(scene.photo).filter(ImageFilter.GaussianBlur(radius))
    return composite(scene.photo, np.array(blurred), scene.matte)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("radius", [5, 10, 30, 50])
def test_the_halo_is_at_least_a_quarter_weaker_than_with_a_plain_blur(
    name: str, radius: float
) -> None:
    scene = SCENES[name]()
    ideal = scene.ideal(radius)
    ours = scene.error(blur_background(Scene.decompose(scene.photo, scene.matte), radius), ideal)
    assert ours < 0.75 * scene.error(plain_blur(scene, radius), ideal)
