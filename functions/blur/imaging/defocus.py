"""What lies behind the subject, out of focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.imaging.arrays import OPAQUE
from blur.imaging.composite import multiply
from blur.imaging.convolution import Smooth, normalised_convolution

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels


def defocus(
    background: Pixels, matte: Coverage, radius_px: float, alpha: Coverage | None = None
) -> Smooth:
    """Blur the background, weighted by how much of it each pixel shows.

    `radius_px` is the Gaussian's standard deviation, more than 0. With weight 1 - matte
    the subject's colours do not bleed into the background, which is what makes the halo of
    a plain blur; the photo's own `alpha` takes hidden pixels out as well.
    """
    return normalised_convolution(background, multiply(OPAQUE - matte, alpha), radius_px)
