"""The subject alone, sharp or blurred, on a transparent ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blur.imaging.convolution import normalised_convolution
from blur.imaging.tiles import Window

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels


def blur_layer(colours: Pixels, alpha: Coverage, radius_px: float) -> tuple[Pixels, Coverage]:
    """Blur a layer of straight colour and alpha with a Gaussian of `radius_px`.

    The blur is that of premultiplied colour, given back straight: composed over anything,
    the soft edge holds the layer's own colours and no dark fringe. Colours go on under
    alpha 0, so that a viewer which interpolates straight colour shows none either.
    Radius 0 returns the layer as it is.
    """
    if radius_px == 0:
        return colours, alpha
    smooth = normalised_convolution(colours, alpha, radius_px)
    everything = Window(0, 0, *alpha.shape)
    return np.array(smooth.colours_in(everything)), np.array(smooth.weights_in(everything))
