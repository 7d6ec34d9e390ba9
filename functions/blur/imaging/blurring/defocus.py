"""One layer of a scene, the background or the subject, out of focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.imaging.arrays import OPAQUE
from blur.imaging.blurring.convolution import BlurredLayer, normalised_convolution
from blur.imaging.compositing.composite import multiply
from blur.imaging.compositing.foreground import Layer, decontaminate
from blur.imaging.resample import downscale, upscale_by

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.blurring.lens import Lens
    from blur.imaging.compositing.scene import Scene


def defocus_background(scene: Scene, lens: Lens) -> RgbU8:
    """Return what is behind the subject, out of focus, (H, W, 3).

    With weight 1 - matte the subject's colours do not bleed into the background, which is
    what makes the halo of a plain blur.
    """
    soft = _blurred(scene, Layer.BACKGROUND, lens)
    return upscale_by(soft.colours, lens.cell_px, scene.shape)


def defocus_subject(scene: Scene, lens: Lens) -> tuple[RgbU8, AlphaU8]:
    """Return the subject out of focus, outline included: straight colour and alpha."""
    soft = _blurred(scene, Layer.FOREGROUND, lens)
    colours, alpha = (upscale_by(part, lens.cell_px, scene.shape) for part in soft)
    return colours, alpha


def _blurred(scene: Scene, side: Layer, lens: Lens) -> BlurredLayer:
    """Blur a layer by how much of it each cell shows, on the lens's grid."""
    photo, matte = downscale(scene.photo, lens.cell_px), downscale(scene.matte, lens.cell_px)
    weights = matte if side is Layer.FOREGROUND else OPAQUE - matte
    if scene.alpha is not None:
        weights = multiply(weights, downscale(scene.alpha, lens.cell_px))
    colours = decontaminate(photo, matte, scene.layers, side)
    return normalised_convolution(colours, weights, lens, scene.layers[side])
