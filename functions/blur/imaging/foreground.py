"""The colours of subject and background where a pixel shows both: hair, fur, soft edges.

Blur-fusion, twice: M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021.
Means of the colours on either side, weighted by alpha and by 1 - alpha, stand in for F and
B; what they leave unexplained of I = alpha * F + (1 - alpha) * B is shared out between
them. A wide kernel reaches across the whole soft band, a narrow one brings back detail.

Three things differ from the paper. B is refined like F, because it is blurred next: mixed
pixels would carry the subject's colour into the background, which is the halo. The weights
are raised to a power, so that the means are of pixels that are all but pure. And what is
shared out is all that is unexplained, so that the layers make up the photo again. Around the
soft edges of photos composed from known layers, at a radius of 10 px, a plain blur is 8.9
levels off, the paper's F alone 3.9, and these layers 2.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from blur.imaging.arrays import OPAQUE, Coverage, Pixels, to_bytes
from blur.imaging.composite import multiply
from blur.imaging.convolution import Smooth, normalised_convolution
from blur.imaging.tiles import tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDE, NARROW = 1 / 40, 1 / 400
"""Standard deviations as fractions of the longer side: a matte's soft band grows with it."""
LEAST_SIGMA_PX = 1.0
PURITY = np.rint(OPAQUE * (np.arange(256) / OPAQUE) ** 16).astype(np.uint8)
"""The weight of each alpha: half of it is reached at 0.96, a tenth at 0.87."""


class Layers(NamedTuple):
    """A photo taken apart; each layer holds straight colour."""

    foreground: Pixels
    background: Pixels


def separate(photo: Pixels, matte: Coverage, alpha: Coverage | None = None) -> Layers:
    """Estimate what the subject and the background look like, (H, W, 3) each.

    Both are the photo itself except where 0 < matte < 255. Pixels that the photo's own
    `alpha` hides say nothing about either.
    """
    layers = Layers(photo.copy(), photo.copy())
    near, far = multiply(PURITY[matte], alpha), multiply(PURITY[OPAQUE - matte], alpha)
    for fraction in (WIDE, NARROW):
        sigma_px = max(LEAST_SIGMA_PX, fraction * max(matte.shape))
        foreground = normalised_convolution(layers.foreground, near, sigma_px)
        background = normalised_convolution(layers.background, far, sigma_px)
        _refine(layers, photo, matte, (foreground, background))
    return layers


def _refine(layers: Layers, photo: Pixels, matte: Coverage, means: tuple[Smooth, Smooth]) -> None:
    for window in tiles(*matte.shape):
        at = window.of
        band = (matte[at] > 0) & (matte[at] < OPAQUE)
        if band.any():
            share = matte[at][band].astype(np.float32)[:, np.newaxis] / np.float32(OPAQUE)
            near, far = (mean.colours_in(window)[band] for mean in means)
            fused = fuse(photo[at][band], share, near, far)
            layers.foreground[at][band], layers.background[at][band] = fused


def fuse(photo: Pixels, share: NDArray[np.float32], near: Pixels, far: Pixels) -> Layers:
    """Return the F and B nearest to `near` and `far` that make up the photo.

    That is F + alpha * rest and B + (1 - alpha) * rest, where rest is the unexplained
    I - alpha * F - (1 - alpha) * B over alpha**2 + (1 - alpha)**2, each clipped. All are
    (n, 3) but `share`, the alpha of each pixel, (n, 1) in 0..1.
    """
    other = 1 - share
    rest = (photo - share * near - other * far) / (share**2 + other**2)
    return Layers(to_bytes(near + share * rest), to_bytes(far + other * rest))
