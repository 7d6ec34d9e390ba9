"""Refine the matte at hair and edges: use closed-form matting where the network is uncertain.

The network's map is divided into subject, background and unknown pixels. The alpha of the unknown
pixels is computed on a coarse grid (`closed_form`). Each window then has a linear function from
colour to alpha. This function is also applied on a grid that is twice as fine, as in K. He, J. Sun,
"Fast Guided Filter", 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
from PIL import Image

from blur.imaging.arrays import OPAQUE, to_u8
from blur.imaging.matting.closed_form import Windows, rescale_alpha, solve_alpha
from blur.imaging.matting.half_transparent import resolve_half_transparent
from blur.imaging.resample import downscale, resize, upscale, upscale_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32, AlphaU8, FloatArray, RgbU8

    Mask: TypeAlias = NDArray[np.bool_]

FINE_SIDE_PX = 640
"""The longer side of the fine grid."""
GRID_FACTOR = 2
"""The coarse grid is smaller than the fine grid by this factor."""
CERTAIN_BACKGROUND, CERTAIN_SUBJECT = 12, 243
"""5 % and 95 % of the range 0..255 of the network's map. A pixel is certainly background if its
value is at most `CERTAIN_BACKGROUND`, and certainly subject if it is at least `CERTAIN_SUBJECT`."""


def refine(matte: AlphaU8, photo: RgbU8) -> AlphaU8:
    """Return the refined matte of a photo; the longer side of the result is `FINE_SIDE_PX`.

    `matte` is the network's map, whose values are stretched to 0..255, in any size. `photo`, (H, W,
    3), can be a downscaled copy. Where the map is certain, the result is 0 or 255. Half-transparent
    regions of the result are not wider than an edge.
    """
    fine = to_fine_grid(photo)
    coarse = downscale(fine, GRID_FACTOR)
    size = (coarse.shape[1], coarse.shape[0])
    matte = np.asarray(Image.fromarray(matte).resize(size, Image.Resampling.BICUBIC))
    unknown = find_unknown(matte)
    windows = Windows.touching(unknown, coarse)
    alpha = resolve_half_transparent(solve_alpha(matte, unknown, windows))
    return upscale_alpha(alpha, windows, fine)


def to_fine_grid(photo: RgbU8) -> RgbU8:
    """Resize the photo so that its longer side is `FINE_SIDE_PX`."""
    scale = FINE_SIDE_PX / max(photo.shape[:2])
    shape = max(1, round(photo.shape[0] * scale)), max(1, round(photo.shape[1] * scale))
    return resize(photo, shape) if scale < 1 else upscale(photo, shape)


def find_unknown(matte: AlphaU8) -> Mask:
    """Return the unknown pixels of the trimap.

    A pixel next to an uncertain pixel is also unknown, because hair begins at the edge of a region.
    """
    return dilate(matte < CERTAIN_SUBJECT) & dilate(matte > CERTAIN_BACKGROUND)


def dilate(mask: Mask) -> Mask:
    """Return the mask, enlarged by the eight neighbours of each of its pixels."""
    tall = mask.copy()
    tall[1:] |= mask[:-1]
    tall[:-1] |= mask[1:]
    dilated = tall.copy()
    dilated[:, 1:] |= tall[:, :-1]
    dilated[:, :-1] |= tall[:, 1:]
    return dilated


def upscale_alpha(alpha: AlphaF32, windows: Windows, fine: RgbU8) -> AlphaU8:
    """Return alpha on the fine grid, from the colours `fine` and the windows' linear functions."""
    shape = fine.shape[0], fine.shape[1]
    slopes, offsets, band = average_fits(alpha, windows)
    values = upscale_by(offsets, GRID_FACTOR, shape)
    for slope, colours in zip(slopes, cv2.split(fine), strict=True):
        values += upscale_by(slope, GRID_FACTOR, shape) * colours
    certain = np.where(alpha > 1 / 2, np.uint8(OPAQUE), np.uint8(0))
    soft = to_u8(rescale_alpha(values) * OPAQUE)
    return np.where(repeat_cells(band, shape), soft, repeat_cells(certain, shape))


def average_fits(alpha: AlphaF32, windows: Windows) -> tuple[FloatArray, FloatArray, Mask]:
    """Average the linear functions of the windows at each pixel.

    Return slopes (3, h, w) for colours 0..255, offsets (h, w), and a mask of the soft edge (h, w).
    A pixel outside all windows has slope 0 and its own alpha as offset.
    """
    flat = alpha.ravel()
    fits = windows.slopes(flat)
    offsets = flat[windows.members].mean(axis=0) - (fits * windows.means).sum(axis=0)
    counts = windows.sum_by_pixel(np.ones(windows.members.shape, np.float32))
    means = [
        windows.sum_by_pixel(np.broadcast_to(plane, windows.members.shape)) / np.maximum(counts, 1)
        for plane in (*(fits / np.float32(OPAQUE)), offsets)
    ]
    mean_offsets: FloatArray = np.where(counts > 0, means[3], flat).reshape(alpha.shape)
    band = (counts > 0).reshape(alpha.shape) | ((alpha > 0) & (alpha < 1))
    mean_slopes = np.stack(means[:3]).reshape(3, *alpha.shape).astype(np.float32)
    return mean_slopes, mean_offsets, band


def repeat_cells(plane: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Return a plane on the fine grid: repeat each cell for its pixels, and crop to `shape`."""
    return plane.repeat(GRID_FACTOR, axis=0).repeat(GRID_FACTOR, axis=1)[: shape[0], : shape[1]]
