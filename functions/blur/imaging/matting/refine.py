"""Hair and edges: the network's map, redrawn by the photo's colours where it is unsure.

Closed-form matting (see `laplacian`) on a coarse grid, between what the network is sure of,
and near its opinion elsewhere. Then the detail: each window has found how alpha follows from
colour, and this carries over to a grid twice as fine, as in K. He, J. Sun, "Fast Guided
Filter", 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
from PIL import Image

from blur.imaging.arrays import OPAQUE, to_u8
from blur.imaging.matting.laplacian import Reals, Windows
from blur.imaging.matting.solver import conjugate_gradients
from blur.imaging.matting.trimap import find_unknown
from blur.imaging.resample import downscale, resize, upscale, upscale_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8

    Mask: TypeAlias = NDArray[np.bool_]

FINE_SIDE_PX = 640
"""The longer side of the fine grid, at most; the coarse one has half of it."""
STEP = 2
TRUST = 0.03
"""Weight of the network's opinion where it is all but sure, against the colours'."""
LEAST_TRUST = 1e-6
STEPS, TOLERANCE = 25, 1e-3
FLOOR, CEILING = 0.1, 0.9
"""Alphas that count as 0 and 1: haze is a mistake more often than it is hair."""


def refine(matte: AlphaU8, photo: RgbU8) -> AlphaU8:
    """Return the matte of a photo, at the photo's size or with a longer side of 640 px.

    `matte` is the network's map stretched to 0..255, of any size; `photo` is (H, W, 3), and
    may be reduced already. Where the map is sure the result is 0 or 255.
    """
    fine = to_fine_grid(photo)
    coarse = downscale(fine, STEP)
    size = (coarse.shape[1], coarse.shape[0])
    matte = np.asarray(Image.fromarray(matte).resize(size, Image.Resampling.BICUBIC))
    unknown = find_unknown(matte)
    windows = Windows.touching(unknown, coarse)
    alpha = solve_alpha(matte, unknown, windows)
    return upscale_alpha(alpha, windows, fine)


def to_fine_grid(photo: RgbU8) -> RgbU8:
    """Bring the longer side to `FINE_SIDE_PX`."""
    scale = FINE_SIDE_PX / max(photo.shape[:2])
    shape = max(1, round(photo.shape[0] * scale)), max(1, round(photo.shape[1] * scale))
    return resize(photo, shape) if scale < 1 else upscale(photo, shape)


def solve_alpha(matte: AlphaU8, unknown: Mask, windows: Windows) -> Reals:
    """Return alpha, 0..1, (h, w): 0 or 1 where it is known, else as the windows want it.

    It minimises alpha' L alpha + sum of trust * (alpha - opinion)^2, with L the Laplacian.
    """
    opinion = matte.ravel().astype(np.float32) / np.float32(OPAQUE)
    trust: Reals = (TRUST * (2 * opinion - 1) ** 2 + LEAST_TRUST)[unknown.ravel()]
    alpha = rescale_alpha(opinion)
    open_ = np.flatnonzero(unknown)
    start = alpha[open_]
    known = alpha.copy()
    known[open_] = 0

    def apply(values: Reals) -> Reals:
        scattered = np.zeros(unknown.size, np.float32)
        scattered[open_] = values
        product: Reals = windows.apply(scattered)[open_] + trust * values
        return product

    alpha[open_] = conjugate_gradients(
        apply,
        windows.diagonal()[open_] + trust,
        trust * start - windows.apply(known)[open_],
        start,
        steps=STEPS,
        tolerance=TOLERANCE,
    ).clip(0, 1)
    return alpha.reshape(unknown.shape)


def rescale_alpha(alpha: Reals) -> Reals:
    """Spread FLOOR..CEILING over 0..1."""
    spread: Reals = np.clip((alpha - FLOOR) / (CEILING - FLOOR), 0, 1)
    return spread


def upscale_alpha(alpha: Reals, windows: Windows, fine: RgbU8) -> AlphaU8:
    """Return alpha on the fine grid, from the colours there and the windows' slopes."""
    shape = fine.shape[0], fine.shape[1]
    slopes, offsets, band = average_fits(alpha, windows)
    values = upscale_by(offsets, STEP, shape)
    for slope, colours in zip(slopes, cv2.split(fine), strict=True):
        values += upscale_by(slope, STEP, shape) * colours
    hard = np.where(alpha > 1 / 2, np.uint8(OPAQUE), np.uint8(0))
    return np.where(
        repeat_cells(band, shape), to_u8(rescale_alpha(values) * OPAQUE), repeat_cells(hard, shape)
    )


def average_fits(alpha: Reals, windows: Windows) -> tuple[Reals, Reals, Mask]:
    """Average the fits of the windows at each pixel: slopes (3, h, w), offsets (h, w), where.

    Slopes are per level of 0..255. A pixel in no window keeps its alpha whatever its colour.
    """
    flat = alpha.ravel()
    fits = windows.slopes(flat)
    bases = flat[windows.members].mean(axis=0) - (fits * windows.means).sum(axis=0)
    counts = windows.gather(np.ones(windows.members.shape, np.float32))
    means = [
        windows.gather(np.broadcast_to(plane, windows.members.shape)) / np.maximum(counts, 1)
        for plane in (*(fits / np.float32(OPAQUE)), bases)
    ]
    offsets: Reals = np.where(counts > 0, means[3], flat).reshape(alpha.shape)
    band = (counts > 0).reshape(alpha.shape) | ((alpha > 0) & (alpha < 1))
    slopes = np.stack(means[:3]).reshape(3, *alpha.shape).astype(np.float32)
    return slopes, offsets, band


def repeat_cells(plane: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Repeat each cell over its `STEP` x `STEP` pixels, cut to `shape`."""
    return plane.repeat(STEP, axis=0).repeat(STEP, axis=1)[: shape[0], : shape[1]]
