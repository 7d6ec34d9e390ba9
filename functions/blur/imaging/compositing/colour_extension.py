"""Extend the subject's colours to the pixels around it, where alpha is 0.

Viewers that interpolate colours without weighting them by alpha show the colours of these pixels
near the edge. The colours are constant in blocks. Farther from the subject, the blocks are larger;
far from the subject, all pixels have the same colour. PNG's filters predict such colours almost
everywhere, so the colours take almost no bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.arrays import to_u8
from blur.imaging.resample import resize, upscale

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbF32, RgbU8

FINE_PX = 8
"""The width and height of a block in pixels."""
COARSE_FACTOR = 4
"""The width and height of a larger block, as a multiple of `FINE_PX` (see `extend_colours`)."""
REACH_PX = FINE_PX * COARSE_FACTOR
"""The subject's colours continue around the subject for at least this distance."""


def extend_colours(foreground: RgbF32, alpha: AlphaU8) -> RgbU8:
    """Return a colour for each block of `FINE_PX` x `FINE_PX` pixels, (rows, columns, 3).

    `foreground` is the subject's layer on a coarse grid, (h, w, 3), for an image with `alpha`,
    (H, W). A block with a visible pixel gets the mean of the layer in the block. The image is also
    divided into larger blocks, `REACH_PX` wide and high. A block without visible pixels gets the
    mean of the layer in the larger block that contains the block, if this larger block or one of
    its neighbours has a visible pixel. All other blocks get the mean of the whole layer.
    """
    visible = _maxima(alpha, FINE_PX) > 0
    near = cv2.dilate(_maxima(visible.view(np.uint8), COARSE_FACTOR), np.ones((3, 3), np.uint8)) > 0
    coarse = np.empty((*near.shape, 3), np.uint8)
    coarse[:] = constant_colour(foreground)
    coarse[near] = _block_means(foreground, alpha.shape, REACH_PX)[near]
    rows, columns = visible.shape
    fine = coarse.repeat(COARSE_FACTOR, axis=0).repeat(COARSE_FACTOR, axis=1)[:rows, :columns]
    fine[visible] = _block_means(foreground, alpha.shape, FINE_PX)[visible]
    return fine


def constant_colour(foreground: RgbF32) -> RgbU8:
    """Return the colour far from the subject, (3,): the mean of the subject's colours."""
    return to_u8(foreground.mean(axis=(0, 1)))


def put_blocks(canvas: RgbU8, blocks: RgbU8, rows: slice) -> None:
    """Fill some rows of a canvas, (H, W, 3), with the blocks' colours, in place.

    `rows` starts at a multiple of `FINE_PX`.
    """
    for top in range(rows.start, rows.stop, FINE_PX):
        row = blocks[top // FINE_PX].repeat(FINE_PX, axis=0)[: canvas.shape[1]]
        canvas[top : min(top + FINE_PX, rows.stop)] = row


def _block_means(foreground: RgbF32, shape: tuple[int, ...], side: int) -> RgbU8:
    """Return the mean colour of each block of `side` x `side` pixels, in an image of `shape`."""
    counts = -(-shape[0] // side), -(-shape[1] // side)
    cells = [
        max(size, round(size * count * side / pixels))
        for size, count, pixels in zip(foreground.shape, counts, shape, strict=False)
    ]
    below, right = cells[0] - foreground.shape[0], cells[1] - foreground.shape[1]
    whole = cv2.copyMakeBorder(foreground, 0, below, 0, right, cv2.BORDER_REPLICATE)
    smaller = counts[0] <= cells[0] and counts[1] <= cells[1]
    return to_u8(resize(whole, counts) if smaller else upscale(whole, counts))


def _maxima(alpha: AlphaU8, side: int) -> AlphaU8:
    """Return the maximum of each block of `side` x `side` pixels."""
    height, width = alpha.shape
    below, right = -height % side, -width % side
    if below or right:
        alpha = cv2.copyMakeBorder(alpha, 0, below, 0, right, cv2.BORDER_REPLICATE)
    rows: AlphaU8 = np.maximum.reduce(alpha.reshape(-1, side, width + right), axis=1)
    blocks: AlphaU8 = np.maximum.reduce(rows.reshape(len(rows), -1, side), axis=2)
    return blocks
