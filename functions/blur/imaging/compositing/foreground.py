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

from blur.imaging.arrays import OPAQUE, to_bytes, to_shares
from blur.imaging.compositing.fill import fill
from blur.imaging.compositing.points import Points, looked_up, mixed, put, shares, taken
from blur.imaging.resample import fitted, within
from blur.imaging.strips import on_strips

if TYPE_CHECKING:
    from blur.imaging.arrays import Colours, Coverage, Pixels, Shares

PURITY = ((np.arange(256) / OPAQUE) ** 48).astype(np.float32)
"""By alpha, how pure a pixel counts: half of the weight is left at 0.986."""


GRID_PX = 320
"""The longer side of the grid that the layers are estimated on."""


class Side(IntEnum):
    """Which of the two layers."""

    SUBJECT = 0
    BACKGROUND = 1


class Layers(NamedTuple):
    """Subject and background taken apart, on any grid; each holds straight colour."""

    foreground: Colours
    background: Colours


def separate(photo: Pixels, matte: Coverage, alpha: Coverage | None = None) -> Layers:
    """Estimate what the subject and the background look like, everywhere, on a small grid.

    Photo, matte and `alpha` may be smaller copies, the matte of any size. Pixels that the
    photo's own `alpha` hides say nothing.
    """
    shape = within(photo.shape[:2], GRID_PX)
    small = fitted(photo, shape)
    colours = small.astype(np.float32)
    cover = fitted(matte, shape)
    near, far = cv2.LUT(cover, PURITY), cv2.LUT(OPAQUE - cover, PURITY)
    if alpha is not None:
        seen = to_shares(fitted(alpha, shape))
        near, far = near * seen, far * seen
    layers = Layers(fill(colours, near), fill(colours, far))
    rows = slice(0, shape[0])
    found = unmix(small, cover, layers, rows)
    for layer, better in zip(layers, found.layers, strict=True):
        layer.reshape(-1, 3)[found.points.where] = better
    return layers


def fuse(photo: Colours, share: Shares, guess: Layers) -> Layers:
    """Return the F and B nearest to the guess that make up the photo, all (n, 3).

    That is F + alpha * rest and B + (1 - alpha) * rest, where rest is the unexplained
    I - alpha * F - (1 - alpha) * B over alpha**2 + (1 - alpha)**2, each clipped to 0..255.
    """
    near, far = guess
    other = 1 - share
    rest = (photo - far - share * (near - far)) / (share * share + other * other)
    return Layers(np.clip(near + share * rest, 0, OPAQUE), np.clip(far + other * rest, 0, OPAQUE))


class Mixed(NamedTuple):
    """The pixels of a picture that show both layers, taken apart."""

    points: Points
    share: Shares
    """Their alpha, (n, 3)."""
    layers: Layers
    """What they show, (n, 3) each."""


def unmix(photo: Pixels, matte: Coverage, layers: Layers, rows: slice) -> Mixed:
    """Take apart the pixels with 0 < matte < 255 in some rows, guided by coarse layers."""
    points = mixed(matte, rows)
    share = shares(matte, points)
    guess = Layers(*looked_up(layers, points))
    return Mixed(points, share, fuse(taken(photo, points), share, guess))


def pure(photo: Pixels, matte: Coverage, layers: Layers, side: Side) -> Pixels:
    """Return the photo with one layer alone in the pixels that show both."""
    result = photo.copy()

    def purify(rows: slice) -> None:
        found = unmix(photo, matte, layers, rows)
        put(result, found.points, to_bytes(found.layers[side]))

    on_strips(matte.shape, purify)
    return result
