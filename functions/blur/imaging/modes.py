"""The modes of a blur request: blur the background, or cut out the subject.

`blur_background` and `cut_out` take a scene and return arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from blur.imaging.blurring.defocus import defocus_background, defocus_subject
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.blurring.varying_radius import defocus_background_by_row
from blur.imaging.compositing.composite import composite_over, cutout_colours, multiply
from blur.imaging.depth.ground import circle_of_confusion

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.compositing.scene import Scene
    from blur.imaging.depth.ground import Ground


def blur_background(
    scene: Scene, radius_px: float, kernel: str = "gaussian", ground: Ground | None = None
) -> RgbU8:
    """Return the photo with its background blurred, uint8 (H, W, 3).

    `radius_px` is the standard deviation of the blur along each axis; 0 returns a copy of the
    photo. Pixels with matte 255 do not change. With a `ground`, the radius grows with the distance
    from the subject, up to `radius_px`; without a ground, it is `radius_px` everywhere.

    Raises:
        ValueError: `radius_px` is negative or not finite.

    """
    _check_radius(radius_px)
    if radius_px == 0:
        return scene.photo.copy()
    if ground is None:
        result = defocus_background(scene, KERNELS[kernel](radius_px))
    else:
        shares = circle_of_confusion(ground, scene.shape[0])
        result = defocus_background_by_row(scene, radius_px, kernel, shares)
    composite_over(scene.photo, scene.matte, scene.layers, result)
    return result


def cut_out(scene: Scene, radius_px: float, kernel: str = "gaussian") -> tuple[RgbU8, AlphaU8]:
    """Return the subject, blurred, as straight colour and alpha.

    Arguments and errors are as in `blur_background`. If `radius_px` is 0, the subject is sharp.
    """
    _check_radius(radius_px)
    if radius_px > 0:
        return defocus_subject(scene, KERNELS[kernel](radius_px))
    colours = cutout_colours(scene.photo, scene.matte, scene.layers)
    return colours, multiply(scene.matte, scene.alpha)


def _check_radius(radius_px: float) -> None:
    if not 0 <= radius_px < inf:
        message = f"radius_px must be at least 0 and finite, not {radius_px}"
        raise ValueError(message)


def _blur_background(
    scene: Scene, radius_px: float, kernel: str, ground: Ground | None
) -> tuple[RgbU8, AlphaU8 | None]:
    return blur_background(scene, radius_px, kernel, ground), scene.alpha


def _cut_out(
    scene: Scene, radius_px: float, kernel: str, _: Ground | None
) -> tuple[RgbU8, AlphaU8]:
    return cut_out(scene, radius_px, kernel)


class Mode(NamedTuple):
    """The function and the properties of one value of the `mode` field."""

    render: Callable[[Scene, float, str, Ground | None], tuple[RgbU8, AlphaU8 | None]]
    """Return colour and alpha for a scene, a radius in pixels, a kernel's name, and the ground
    under the subject."""
    adds_alpha: bool
    """Whether the result has an alpha channel even if the photo has none."""
    compact: bool
    """Whether a PNG of the result is compressed by `png_compact`, which takes more time. This makes
    the PNG of a cutout much smaller, because large parts of a cutout have a constant colour."""
    uses_ground: bool
    """Whether `render` uses the ground under the subject. A cutout does not: it has no
    background."""


MODES: dict[str, Mode] = {
    "background": Mode(_blur_background, adds_alpha=False, compact=False, uses_ground=True),
    "cutout": Mode(_cut_out, adds_alpha=True, compact=True, uses_ground=False),
}
"""The modes by the value of the `mode` field."""
