"""Blur one layer of a scene, the background or the subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE
from blur.imaging.blurring.convolution import BlurredLayer, normalised_convolution
from blur.imaging.compositing.colour_extension import extend_colours, put_blocks
from blur.imaging.compositing.composite import multiply
from blur.imaging.compositing.foreground import Layer, decontaminate
from blur.imaging.resample import downscale, upscale_by

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.blurring.lens import Lens
    from blur.imaging.compositing.scene import Scene


class LayerCells(NamedTuple):
    """A layer to blur: straight (not premultiplied) colours, (h, w, 3), and weights, (h, w)."""

    colours: RgbU8
    weights: AlphaU8


def defocus_background(scene: Scene, lens: Lens) -> RgbU8:
    """Return the blurred background, (H, W, 3).

    Each pixel has the weight 1 - matte, so that the subject's colours do not spread into the
    background. A blur without weights would show these colours as a halo around the subject.
    """
    blurred = _defocus(scene, Layer.BACKGROUND, lens)
    return upscale_by(blurred.colours, lens.cell_px, scene.shape)


def defocus_subject(scene: Scene, lens: Lens) -> tuple[RgbU8, AlphaU8]:
    """Return the subject with a blurred outline: straight (not premultiplied) colours, and alpha.

    As in `cutout_colours`, the subject's colours continue into the transparent area around it.
    """
    blurred = _defocus(scene, Layer.FOREGROUND, lens)
    colours, alpha = (upscale_by(part, lens.cell_px, scene.shape) for part in blurred)
    result = np.empty_like(colours)
    put_blocks(result, extend_colours(scene.layers.foreground, alpha), slice(0, scene.shape[0]))
    cv2.copyTo(colours, alpha, result)
    return result, alpha


def layer_cells(scene: Scene, layer: Layer, cell_px: int) -> LayerCells:
    """Return a layer on a grid of cells, with the layer's alpha as weight."""
    photo, matte = downscale(scene.photo, cell_px), downscale(scene.matte, cell_px)
    weights = matte if layer is Layer.FOREGROUND else OPAQUE - matte
    if scene.alpha is not None:
        weights = multiply(weights, downscale(scene.alpha, cell_px))
    return LayerCells(decontaminate(photo, matte, scene.layers, layer), weights)


def _defocus(scene: Scene, layer: Layer, lens: Lens) -> BlurredLayer:
    """Blur a layer on the grid of `lens`, whose cells have sides of `lens.cell_px` pixels."""
    colours, weights = layer_cells(scene, layer, lens.cell_px)
    return normalised_convolution(colours, weights, lens, scene.layers[layer])
