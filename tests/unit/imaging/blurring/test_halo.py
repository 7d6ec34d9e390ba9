"""The halo: photos composed from layers that are known, against the ideal result."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter
from tests.unit.imaging.pictures import disc, real

from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.scene import Scene as Taken
from blur.imaging.pipeline import blur_background

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8

SIDE = 400


class Scene(NamedTuple):
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
        """The foreground over the background, blurred as if nothing stood before it."""
        share = self.matte[..., np.newaxis] / 255
        blurred = gaussian_filter(
            self.background.astype(float), (radius, radius, 0), mode="reflect"
        )
        return np.asarray(share * self.foreground + (1 - share) * blurred)

    def error(self, result: RgbU8, radius: float) -> float:
        return float(np.abs(result - self.ideal(radius))[self.edge].mean())


def coarse_strands() -> AlphaU8:
    """A disc whose rim is frayed into soft strands, like fur."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    fray = 12 * np.sin(40 * np.arctan2(y, x))
    ramp = np.clip((110 + fray - np.hypot(y, x)) / 6 + 0.5, 0, 1)
    matte: AlphaU8 = np.rint(255 * ramp).astype(np.uint8)
    return matte


def scenes() -> dict[str, Scene]:
    portrait, table = real("astronaut")[:SIDE, :SIDE], real("coffee")[:SIDE, :SIDE]
    cat = np.array(Image.fromarray(real("chelsea")).resize((SIDE, SIDE)))
    return {
        "a portrait before a table": Scene(portrait, table, disc(SIDE, SIDE, 120, 6)),
        "a table before a cat": Scene(table, cat, coarse_strands()),
        "a cat before a table": Scene(cat, table, disc(SIDE, SIDE, 100, 10)),
    }


def plain_blur(scene: Scene, radius: float) -> RgbU8:
    blurred = Image.fromarray(scene.photo).filter(ImageFilter.GaussianBlur(radius))
    return composite(scene.photo, np.array(blurred), scene.matte)


@pytest.mark.parametrize("name", scenes())
@pytest.mark.parametrize("radius", [5, 10, 30, 50])
def test_the_halo_is_well_below_that_of_a_plain_blur(name: str, radius: float) -> None:
    scene = scenes()[name]
    ours = scene.error(blur_background(Taken.decompose(scene.photo, scene.matte), radius), radius)
    assert ours < 0.75 * scene.error(plain_blur(scene, radius), radius)
