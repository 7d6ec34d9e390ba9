"""A photo with measured disparity: the motorcycle of Middlebury's stereo set.

D. Scharstein et al., "High-resolution stereo datasets with subpixel-accurate ground truth", GCPR
2014. Disparity is linear in 1 / z, where z is the distance from the camera.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ground_scenes import Rendered
from scipy.ndimage import distance_transform_edt
from skimage import data

from blur.imaging.arrays import OPAQUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, FloatArray, RgbU8

SUBJECT_PERCENTILES = (5, 95)
"""The percentiles between which a subject's measured disparities are used. Many values outside of
these percentiles are errors at the subject's outline."""


def motorcycle(find_matte: Callable[[RgbU8], AlphaU8]) -> Rendered:
    """Return the photo with its circle of confusion; the field `background` is the photo itself."""
    left, _, disparity = getattr(data, "stereo_motorcycle")()  # noqa: B009 - the module has no types
    picture = np.ascontiguousarray(left)
    matte = find_matte(picture)
    known = np.isfinite(disparity)
    floor = _fit_floor(disparity, known & (matte == 0))
    confusion = _confusion(_fill(disparity, known), disparity, matte)
    is_floor = known & (np.abs(disparity - floor) < 1)
    return Rendered(picture, picture, matte, confusion, is_floor)


def _fit_floor(disparity: FloatArray, is_background: NDArray[np.bool_]) -> FloatArray:
    """Return the disparity of the plane that most of the picture's lower half shows, (H, W)."""
    rows, columns = np.mgrid[: disparity.shape[0], : disparity.shape[1]]
    terms = np.stack((rows, columns, np.ones_like(rows)), axis=-1).astype(float)
    inside = is_background & (rows > disparity.shape[0] / 2)
    for _ in range(5):
        plane = np.linalg.lstsq(terms[inside], disparity[inside], rcond=None)[0]
        inside = is_background & (np.abs(disparity - terms @ plane) < 1)
    fitted: FloatArray = terms @ plane
    return fitted


def _confusion(disparity: FloatArray, measured: FloatArray, matte: AlphaU8) -> FloatArray:
    """Return the circle of confusion, (H, W), of a lens that has the whole subject in focus.

    The circle is 0 between the subject's farthest and nearest points, and 1, the whole radius, for
    the farthest 1 % of the background. `measured` is the disparity before unknown pixels were
    filled.
    """
    subject = measured[(matte == OPAQUE) & np.isfinite(measured)]
    far, near = np.percentile(subject, SUBJECT_PERCENTILES)
    farthest = np.percentile(disparity[matte == 0], 1)
    off = np.maximum(np.maximum(disparity - near, far - disparity), 0)
    confusion: FloatArray = np.clip(off / (far - farthest), 0, 1).astype(np.float32)
    return confusion


def _fill(disparity: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Return the disparity with each unknown value replaced by the nearest known value."""
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled: FloatArray = disparity[tuple(nearest)]
    return filled
