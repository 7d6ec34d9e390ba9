"""A background whose blur changes from row to row, such as the ground seen through a lens.

The background is blurred with a few radii; each of these blurred copies is a level. The ratio
between the radii of two successive levels is constant, and the finest level is nearly sharp. Each
row is then a mixture of the two levels with the nearest radii, so that the blur changes smoothly.

A level is computed and mixed only in the rows that need it, on a grid as coarse as its radius
allows. The widest level costs the most, because most rows need it.
"""

from __future__ import annotations

from math import ceil, log
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from blur.imaging.blurring import light
from blur.imaging.blurring.convolution import normalised_convolution
from blur.imaging.blurring.defocus import LayerCells, layer_cells
from blur.imaging.blurring.lens import KERNELS, LEVEL_KERNELS
from blur.imaging.compositing.foreground import Layer
from blur.imaging.resample import upscale_by
from blur.imaging.strips import for_each_strip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Sample = TypeVar("Sample", np.uint8, np.uint16)

    from blur.imaging.arrays import AlphaF32, RgbU8
    from blur.imaging.blurring.lens import Lens
    from blur.imaging.compositing.scene import Scene

FINEST_PX = 0.75
"""The radius of the finest level, which is nearly sharp."""
LARGE_FINEST_PX = 1.75
"""The radius of the finest level for a large photo, of which people do not see single pixels. With
this radius, the level has only a quarter of the cells."""
LARGE_PX = 4_000_000
"""A photo with at least this many pixels is large."""
MAX_RATIO = 2.5
"""The largest ratio between the radii of two successive levels."""
LARGE_MAX_RATIO = 3.1
"""`MAX_RATIO` for a large photo. With this ratio, a radius of 50 pixels needs only four levels."""
PIXEL_VARIANCE = 0.25
"""The variance, in square pixels, of the blur that a sharp photo already has."""
MIN_SIGMA_CELLS = 0.87
"""The minimum standard deviation of a blur, in cells, for all levels except the widest level, which
is computed like a uniform blur."""
MARGIN_CELLS = 3
"""A level is also computed in this many rows of cells above and below the rows that need the level,
because upscaling reads these rows."""


def defocus_background_by_row(
    scene: Scene, radius_px: float, kernel: str, shares: AlphaF32
) -> RgbU8:
    """Return the background, (H, W, 3), in which each row is blurred by its share of `radius_px`.

    `shares`, (H,), has a value from 0 to 1 for each row. Rows with the share 0 are not blurred;
    only the subject's colour is removed from the mixed pixels of these rows.
    """
    lens, levels = KERNELS[kernel](radius_px), _levels(radius_px, scene.shape)
    cell_px = lens.cell_px
    sharp = layer_cells(scene, Layer.BACKGROUND, cell_px)
    picture = np.zeros_like(sharp.colours)
    cells: LayerCells | None = sharp
    for band in _bands(_by_cell(shares, cell_px, picture.shape[0]) > (*levels, 0.0)[1]):
        picture[band] = _blurred_rows(scene, lens, band, cells)
    for wider, share, finer in zip(levels, levels[1:], (*levels[2:], 0.0), strict=False):
        sigma_px = share * radius_px
        lens = LEVEL_KERNELS[kernel](sigma_px, max(MIN_SIGMA_CELLS, sigma_px / cell_px))
        if lens.cell_px != cell_px:
            picture = _upscale(picture, cell_px, lens.cell_px, scene.shape)
            cells, cell_px = None, lens.cell_px
        rows = _by_cell(shares, cell_px, picture.shape[0])
        for band in _bands((rows > finer) & (rows < wider)):
            level = _blurred_rows(scene, lens, band, cells)
            _mix(
                picture[band],
                level,
                _weights(radius_px * rows[band], sigma_px, radius_px * wider),
                kernel,
            )
    picture = _upscale(picture, cell_px, 1, scene.shape)
    for band in _bands(shares < levels[-1]):
        sharp = layer_cells(scene.crop(band), Layer.BACKGROUND, 1)
        _mix(
            picture[band],
            sharp.colours,
            _weights(radius_px * shares[band], 0, radius_px * levels[-1]),
            kernel,
        )
    return picture


def _levels(radius_px: float, shape: tuple[int, int]) -> list[float]:
    """Return each level's radius as a share of `radius_px`: from 1 down, by a constant factor."""
    is_large = shape[0] * shape[1] >= LARGE_PX
    finest_px = LARGE_FINEST_PX if is_large else FINEST_PX
    max_ratio = LARGE_MAX_RATIO if is_large else MAX_RATIO
    count = max(0, ceil(log(radius_px / finest_px, max_ratio)))
    return [(finest_px / radius_px) ** (level / max(1, count)) for level in range(count + 1)]


def _weights(sigmas_px: AlphaF32, finer_px: float, wider_px: float) -> AlphaF32:
    """Return, for each sigma, the weight of the wider blur in a mixture of the two blurs.

    With this weight, the mixture is nearest to a blur with this sigma: the weight minimises the
    mean square error for the spectrum of natural images, 1 / f**2 (D. Field, JOSA A 4(12), 1987).
    Let x = f**2, let a, b and t be the variances of the wider, the finer and the target Gaussian,
    and let A, B and T be their frequency responses. The weight is the integral of
    (T - B)(A - B) / x, divided by the integral of (A - B)**2 / x. Both integrals are logarithms
    (Frullani's theorem).
    """
    t, b, a = (sigma**2 + PIXEL_VARIANCE for sigma in (sigmas_px, finer_px, wider_px))
    weights = np.log((t + b) * (a + b) / (2 * b * (t + a))) / np.log((a + b) ** 2 / (4 * a * b))
    clipped: AlphaF32 = np.clip(weights, 0, 1)
    return clipped


def _mix(wider: RgbU8, finer: RgbU8, weights: AlphaF32, kernel: str) -> None:
    """Mix two pictures, (h, W, 3), into `wider`; `weights`, (h,), are the weights of `wider`."""

    def mix(rows: slice) -> None:
        wider[rows] = MIXERS[kernel](wider[rows], finer[rows], weights[rows])

    for_each_strip(wider.shape, mix)


def _mix_samples(wider: RgbU8, finer: RgbU8, weights: AlphaF32) -> RgbU8:
    return _mix_rows(wider, finer, weights)


def _mix_light(wider: RgbU8, finer: RgbU8, weights: AlphaF32) -> RgbU8:
    lights = [cv2.LUT(picture, light.TO_LINEAR_U16) for picture in (wider, finer)]
    return light.from_linear_u16(_mix_rows(lights[0], lights[1], weights))


def _mix_rows(wider: NDArray[Sample], finer: NDArray[Sample], weights: AlphaF32) -> NDArray[Sample]:
    mixed = np.empty_like(wider)
    for row, weight in enumerate(weights.tolist()):
        cv2.addWeighted(wider[row], weight, finer[row], 1 - weight, 0, mixed[row])
    return mixed


MIXERS = {"gaussian": _mix_samples, "bokeh": _mix_light}
"""The mixing function for each kernel. The Gaussian averages the 8-bit samples, so its function
mixes samples. `bokeh` averages linear light, so its function mixes linear light."""


def _blurred_rows(scene: Scene, lens: Lens, rows: slice, cells: LayerCells | None) -> RgbU8:
    """Return some rows of the blurred background, on the grid of the lens.

    `cells` has all cells of the sharp background on this grid. It is None if they are not computed
    yet; then only the cells for these rows are computed.
    """
    around = slice(max(0, rows.start - lens.radius_cells), rows.stop + lens.radius_cells)
    part = scene.crop(slice(around.start * lens.cell_px, around.stop * lens.cell_px))
    if cells is None:
        sharp = layer_cells(part, Layer.BACKGROUND, lens.cell_px)
    else:
        sharp = LayerCells(cells.colours[around], cells.weights[around])
    blurred = normalised_convolution(*sharp, lens, part.layers.background)
    return blurred.colours[rows.start - around.start : rows.stop - around.start]


def _upscale(picture: RgbU8, cell_px: int, finer_px: int, shape: tuple[int, int]) -> RgbU8:
    """Return the picture, upscaled to a finer grid; `shape` is the shape of the photo."""
    cells = -(-shape[0] // finer_px), -(-shape[1] // finer_px)
    return upscale_by(picture, cell_px // finer_px, cells)


def _by_cell(shares: AlphaF32, cell_px: int, count: int) -> AlphaF32:
    """Return the share of the radius at the centre of each row of cells, `cell_px` pixels high."""
    centres = (np.arange(count) + 0.5) * cell_px - 0.5
    by_cell: AlphaF32 = np.interp(centres, np.arange(shares.size), shares).astype(np.float32)
    return by_cell


def _bands(is_needed: NDArray[np.bool_]) -> Iterator[slice]:
    """Yield ranges of needed rows and their margins; ranges that touch or overlap are joined."""
    window = np.ones(2 * MARGIN_CELLS + 1, np.uint8)
    wide = np.convolve(is_needed, window)[MARGIN_CELLS : MARGIN_CELLS + is_needed.size] > 0
    edges = np.flatnonzero(np.diff(wide, prepend=False, append=False))
    for start, stop in edges.reshape(-1, 2).tolist():
        yield slice(start, stop)
