"""The colours of subject and background where a pixel shows both: hair, fur, soft edges.

Both are wanted only roughly, and once: on a small grid, the colours of pixels that are all
but pure are carried across the soft edge (`fill`). What these leave unexplained of a pixel
I = alpha * F + (1 - alpha) * B, on the grid or in the full picture, is then shared out
between the two by blur-fusion: M. Forte, "Approximate Fast Foreground Colour Estimation",
ICIP 2021.

Two things differ from the paper. B is estimated like F, because it is blurred next: mixed
pixels would carry the subject's colour into the background, which is the halo. And what is
shared out is all that is unexplained, so that the layers make up the photo again.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE, to_alpha_f32, to_u8
from blur.imaging.compositing.fill import fill
from blur.imaging.compositing.sparse_pixels import (
    SparsePixels,
    find_mixed,
    put_colours,
    sample_grids,
    take_alpha,
    take_colours,
)
from blur.imaging.resample import fit_within, resize
from blur.imaging.strips import for_each_strip

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaF32, AlphaU8, RgbF32, RgbU8

PURITY = ((np.arange(256) / OPAQUE) ** 48).astype(np.float32)
"""By alpha, how pure a pixel counts: half of the weight is left at 0.986."""


GRID_PX = 320
"""The longer side of the grid that the layers are estimated on."""


class Layer(IntEnum):
    """Which of the two layers."""

    FOREGROUND = 0
    BACKGROUND = 1


class LayerColours(NamedTuple):
    """Subject and background taken apart, on any grid; each holds straight colour."""

    foreground: RgbF32
    background: RgbF32


def estimate_layers(photo: RgbU8, matte: AlphaU8, alpha: AlphaU8 | None = None) -> LayerColours:
    """Estimate what the subject and the background look like, everywhere, on a small grid.

    Photo, matte and `alpha` may be smaller copies, the matte of any size. Pixels that the
    photo's own `alpha` hides say nothing.
    """
    shape = fit_within(photo.shape[:2], GRID_PX)
    small = resize(photo, shape)
    colours = small.astype(np.float32)
    cover = resize(matte, shape)
    near, far = cv2.LUT(cover, PURITY), cv2.LUT(OPAQUE - cover, PURITY)
    if alpha is not None:
        seen = to_alpha_f32(resize(alpha, shape))
        near, far = near * seen, far * seen
    layers = LayerColours(fill(colours, near), fill(colours, far))
    rows = slice(0, shape[0])
    found = unmix(small, cover, layers, rows)
    for layer, better in zip(layers, found.layers, strict=True):
        layer.reshape(-1, 3)[found.pixels.indices] = better
    return layers


def blur_fusion(photo: RgbF32, share: AlphaF32, guess: LayerColours) -> LayerColours:
    """Return the F and B nearest to the guess that make up the photo, all (n, 3).

    That is F + alpha * rest and B + (1 - alpha) * rest, where rest is the unexplained
    I - alpha * F - (1 - alpha) * B over alpha**2 + (1 - alpha)**2, each clipped to 0..255.
    """
    near, far = guess
    other = 1 - share
    rest = (photo - far - share * (near - far)) / (share * share + other * other)
    return LayerColours(
        np.clip(near + share * rest, 0, OPAQUE), np.clip(far + other * rest, 0, OPAQUE)
    )


class UnmixedPixels(NamedTuple):
    """The pixels of a picture that show both layers, taken apart."""

    pixels: SparsePixels
    alpha: AlphaF32
    """Their alpha, (n, 3)."""
    layers: LayerColours
    """What they show, (n, 3) each."""


def unmix(photo: RgbU8, matte: AlphaU8, layers: LayerColours, rows: slice) -> UnmixedPixels:
    """Take apart the pixels with 0 < matte < 255 in some rows, guided by coarse layers."""
    points = find_mixed(matte, rows)
    share = take_alpha(matte, points)
    guess = LayerColours(*sample_grids(layers, points))
    return UnmixedPixels(points, share, blur_fusion(take_colours(photo, points), share, guess))


def decontaminate(photo: RgbU8, matte: AlphaU8, layers: LayerColours, side: Layer) -> RgbU8:
    """Return the photo with one layer alone in the pixels that show both."""
    result = photo.copy()

    def purify(rows: slice) -> None:
        found = unmix(photo, matte, layers, rows)
        put_colours(result, found.pixels, to_u8(found.layers[side]))

    for_each_strip(matte.shape, purify)
    return result
