"""The ground on which subjects stand, and how far out of focus each row of the ground is.

A thin lens focused at the distance f images a point at the distance z as a disc, the circle of
confusion, whose diameter is proportional to |1 / f - 1 / z| (M. Potmesil, I. Chakravarty, "A
lens and aperture camera model for synthetic image generation", SIGGRAPH 1981). In the image of a
level camera at the height h above a plane, the plane's points at the distance z are h / z below the
horizon, in units of the focal length. So 1 / z is linear in the image's row, even if the camera is
tilted up or down (R. Labayrade, D. Aubert, J.-P. Tarel, "Real time obstacle detection in
stereovision on non flat road geometry through v-disparity representation", IV 2002). Therefore, the
ground's circle of confusion is also linear in the row. The circle is 0 where the subject in focus
touches the ground. On the horizon, the circle has the requested radius, as for all distant objects.

In a picture, an object with the camera's height reaches up to the horizon at any distance (D.
Hoiem, A. Efros, M. Hebert, "Putting objects in perspective", CVPR 2006). The camera's height is not
known: `find_ground` assumes that the camera is as high as the subject (`CAMERA_HEIGHT`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE
from blur.imaging.depth.contacts import Subject, find_subjects
from blur.imaging.resample import fit_within

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaF32, AlphaU8

GRID_PX = 480
"""The longer side of the small copy of the matte in which subjects and ground are found."""
CAMERA_HEIGHT = 1.0
"""The assumed height of the camera, as a multiple of the largest subject's height."""
MIN_DISTANCE = 0.2
"""The minimum distance from the horizon to the lowest row of another subject that stands on the
ground. The unit is the distance from the horizon to the lowest row of the largest subject."""
PLAUSIBLE_SIZE = (0.3, 3.0)
"""The minimum and the maximum height of another subject, relative to the largest subject's height
at the same distance. An object outside this range, such as a ball in the air, does not stand on the
ground."""


class Ground(NamedTuple):
    """A plane seen in perspective. Rows are fractions of the picture's height; 0 is the top row."""

    near: float
    """The row in which the nearest subject touches the ground."""
    far: float
    """The row in which the farthest subject touches the ground. Rows from `far` to `near` are in
    focus."""
    horizon: float
    """The row of the horizon, where the plane ends; the horizon can be above the picture."""


def find_ground(
    matte: AlphaU8, alpha: AlphaU8 | None = None, bottom: int | None = None
) -> Ground | None:
    """Return the ground under the subjects of a matte, (H, W).

    `bottom` is the row below the region in which the subject was searched for; without it, the
    region ends at the photo's lower border.

    Return None if the ground is unknown: there is no subject, the region's lower border cuts a
    subject off, or the photo's own `alpha`, (H, W), is 0 for all pixels below the subjects.
    """
    mask = _sample(matte) > OPAQUE // 2
    rows = mask.shape[0]
    searched = mask if bottom is None else mask[: round(bottom * rows / matte.shape[0])]
    if not searched.any():
        return None
    largest, *others = find_subjects(searched)
    horizon = largest.bottom - CAMERA_HEIGHT * largest.height
    subjects = [largest, *(other for other in others if _can_stand(other, largest, horizon))]
    if any(subject.is_cut for subject in subjects):
        return None
    contacts = [row for subject in subjects for row in subject.contacts()]
    below = None if alpha is None else _sample(alpha)[max(contacts) :]
    if below is not None and below.size and not below.any():
        return None
    return Ground(max(contacts) / rows, min(contacts) / rows, horizon / rows)


def circle_of_confusion(ground: Ground, height: int) -> AlphaF32:
    """Return for each row the share of the radius with which it is blurred, (height,), 0..1."""
    row = (np.arange(height) + 0.5) / height
    behind = (ground.far - row) / (ground.far - ground.horizon)
    before = (row - ground.near) / (ground.far - ground.horizon)
    share: AlphaF32 = np.clip(np.maximum(behind, before), 0, 1).astype(np.float32)
    return share


def _sample(alpha: AlphaU8) -> AlphaU8:
    """Return a small copy of the alpha, made of single pixels, because averages take more time."""
    size = fit_within(alpha.shape[:2], GRID_PX)[::-1]
    small: AlphaU8 = cv2.resize(alpha, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return small


def _can_stand(subject: Subject, largest: Subject, horizon: float) -> bool:
    """Return whether the subject's position and size fit the ground of the largest subject."""
    distance = (subject.bottom - horizon) / (largest.bottom - horizon)
    if distance < MIN_DISTANCE:
        return False
    smallest, tallest = (distance * size for size in PLAUSIBLE_SIZE)
    return smallest <= subject.height / largest.height <= tallest
