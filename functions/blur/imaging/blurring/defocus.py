"""One layer of a scene, the background or the subject, out of focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.imaging.arrays import OPAQUE
from blur.imaging.blurring.convolution import Soft, normalised_convolution
from blur.imaging.compositing.composite import multiply
from blur.imaging.compositing.foreground import Side, pure
from blur.imaging.resample import enlarged_by, reduced

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels
    from blur.imaging.blurring.lens import Lens
    from blur.imaging.compositing.scene import Scene


def blurred_background(scene: Scene, lens: Lens) -> Pixels:
    """Return what is behind the subject, out of focus, (H, W, 3).

    With weight 1 - matte the subject's colours do not bleed into the background, which is
    what makes the halo of a plain blur.
    """
    soft = _blurred(scene, Side.BACKGROUND, lens)
    return enlarged_by(soft.colours, lens.step, scene.shape)


def blurred_subject(scene: Scene, lens: Lens) -> tuple[Pixels, Coverage]:
    """Return the subject out of focus, outline included: straight colour and alpha."""
    soft = _blurred(scene, Side.SUBJECT, lens)
    colours, alpha = (enlarged_by(part, lens.step, scene.shape) for part in soft)
    return colours, alpha


def _blurred(scene: Scene, side: Side, lens: Lens) -> Soft:
    """Blur a layer by how much of it each cell shows, on the lens's grid."""
    photo, matte = reduced(scene.photo, lens.step), reduced(scene.matte, lens.step)
    weights = matte if side is Side.SUBJECT else OPAQUE - matte
    if scene.alpha is not None:
        weights = multiply(weights, reduced(scene.alpha, lens.step))
    colours = pure(photo, matte, scene.layers, side)
    return normalised_convolution(colours, weights, lens, scene.layers[side])
