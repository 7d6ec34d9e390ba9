"""Measure the halo around soft edges, on pictures whose ideal result is known.

A subject from AM-2k, a set of photos with true alpha, is composited over another photo. Foreground,
background and alpha are known. So the picture that a lens would make is also known: alpha * F + (1
- alpha) * blur(B). All methods get the true alpha, so that only the blurring is compared. The error
is the mean absolute difference, in 8-bit levels, within `BAND_PX` pixels of soft edges.

AM-2k has no foreground colours. PyMatting's multi-level method estimates them from the subject's
photo (T. Germer et al., "Fast multi-level foreground estimation", ICPR 2020). As a harder case, the
photo itself is also used as the foreground: the soft edge then has colours of the photo's old
background, which no method can derive from the new picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import cv2
import numpy as np
from matte_quality import near_soft_edges, pairs
from PIL import Image, ImageFilter

from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.scene import Scene
from blur.imaging.modes import blur_background

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blur.imaging.arrays import AlphaU8, RgbU8

Foreground: TypeAlias = "Callable[[RgbU8, AlphaU8], RgbU8]"
Blur: TypeAlias = "Callable[[RgbU8, AlphaU8, int], RgbU8]"

RADII = (10, 30)


class Known(NamedTuple):
    """A picture that is composited from known layers."""

    foreground: RgbU8
    background: RgbU8
    alpha: AlphaU8

    def photo(self) -> RgbU8:
        """Return the foreground composited over the background, without blur."""
        return composite(self.foreground, self.background, self.alpha)

    def ideal(self, radius_px: int) -> RgbU8:
        """Return the sharp subject, composited over the blurred background layer."""
        blurred = cv2.GaussianBlur(
            self.background, (0, 0), radius_px, borderType=cv2.BORDER_REFLECT
        )
        return composite(self.foreground, blurred, self.alpha)


def unchanged(photo: RgbU8, _: AlphaU8) -> RgbU8:
    """Return the photo itself as the foreground."""
    return photo


def estimated(photo: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Return the subject's own colours. The first call compiles code, which takes a minute."""
    from pymatting import estimate_foreground_ml  # noqa: PLC0415 - the import compiles code

    colours = estimate_foreground_ml(photo / 255, alpha / 255)
    levels: RgbU8 = np.rint(255 * np.clip(colours, 0, 1)).astype(np.uint8)
    return levels


FOREGROUNDS: dict[str, Foreground] = {
    "subject's own colours": estimated,
    "photo as foreground": unchanged,
}


def scenes(data: Path, foreground: Foreground) -> Iterator[Known]:
    """Combine each subject of the folder `matting` with every second photo of `photos`."""
    subjects = [
        (foreground(photo, alpha), alpha)
        for photo, alpha in pairs(data / "matting", data / "matting")
    ]
    grounds = sorted((data / "photos").glob("*"))
    for number, (photo, alpha) in enumerate(subjects):
        size = (photo.shape[1], photo.shape[0])
        for path in grounds[number % 2 :: 2]:
            ground = Image.open(path).convert("RGB").resize(size, Image.Resampling.LANCZOS)
            yield Known(photo, np.asarray(ground), np.ascontiguousarray(alpha))


def plain(photo: RgbU8, alpha: AlphaU8, radius_px: int) -> RgbU8:
    """Blur the whole photo and put the sharp subject over it: the usual simple solution."""
    sharp = Image.fromarray(photo)
    blurred = sharp.filter(ImageFilter.GaussianBlur(radius_px))
    return np.asarray(Image.composite(sharp, blurred, Image.fromarray(alpha)))


def ours(photo: RgbU8, alpha: AlphaU8, radius_px: int) -> RgbU8:
    """Blur the photo as the service does, with the given alpha."""
    return blur_background(Scene.decompose(photo, alpha), radius_px)


BLURS: dict[str, Blur] = {"plain": plain, "here": ours}


def compare(data: Path, foreground: Foreground) -> dict[str, list[float]]:
    """Return each method's mean error at each of `RADII`."""
    errors: dict[str, list[list[float]]] = {name: [[] for _ in RADII] for name in BLURS}
    for scene in scenes(data, foreground):
        photo, band = scene.photo(), near_soft_edges(scene.alpha)
        for place, radius_px in enumerate(RADII):
            ideal = scene.ideal(radius_px).astype(float)
            for name, blur in BLURS.items():
                off = np.abs(blur(photo, scene.alpha, radius_px) - ideal)[band]
                errors[name][place].append(float(off.mean()))
    return {name: [float(np.mean(each)) for each in places] for name, places in errors.items()}
