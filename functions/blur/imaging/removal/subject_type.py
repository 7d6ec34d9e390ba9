"""Decide whether the subject is a person or something else, with two neural networks.

The network for people also confirms animals, flowers and statues, with the same certainty as
persons. The network for faces also finds faces in patterns. But if both networks confirm a person,
the result is rarely wrong. The limits were chosen on 145 photos of people, and on 100 photos from
ECSSD and 4 from AM-2k: docs/imaging.md.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from blur.imaging.matting.people import keep_people
from blur.imaging.roi import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8
    from blur.imaging.matting.matte import Predictor, SubjectMaps
    from blur.imaging.results import SubjectType

    Mask: TypeAlias = NDArray[np.bool_]

MIN_CONFIRMED = 0.75
"""A subject counts as a person only if the network for people confirms at least this share of the
subject."""
MIN_FACE = 0.5
"""The minimum score of a face on the subject; MediaPipe has the same default."""
MARGIN = 0.3
"""The side of the square around the subject is 1 + `MARGIN` times the subject's longer side."""
HALF = 0.5


def find_subject_type(maps: SubjectMaps, seen: RgbU8, faces: Predictor | None) -> SubjectType:
    """Return "person" if the network for people confirms the subject, and the subject shows a face.

    `seen`, (H, W, 3), are the pixels from which the maps were computed. The network for `faces`
    runs only if the network for people confirms the subject. If one of the networks is missing, all
    subjects are "other".
    """
    if faces is None or confirmed_share(maps) < MIN_CONFIRMED:
        return "other"
    return "person" if face_score(maps.subject > HALF, seen, faces) >= MIN_FACE else "other"


def confirmed_share(maps: SubjectMaps) -> float:
    """Return the share of the subject that the network for people confirms, 0..1.

    Each pixel of the subject is weighted with its value in the map of the subject.
    """
    if maps.people is None:
        return 0.0
    subject = np.where(maps.subject > HALF, maps.subject, np.float32(0))
    total = float(subject.sum())
    return float((subject * keep_people(maps.people)).sum()) / total if total > 0 else 0.0


def face_score(subject: Mask, photo: RgbU8, faces: Predictor) -> float:
    """Return the highest score of a face on the subject, 0..1.

    `subject`, (h, w), is a mask of the photo, (H, W, 3), and is not empty. The network gets a
    square around the subject, because it misses small faces and stretched faces.
    """
    shape = photo.shape[0], photo.shape[1]
    box = square_around(subject, shape)
    scores = faces.predict(np.ascontiguousarray(photo[box]))
    cells = np.ix_(*map(_nearest, scores.shape, box, shape, subject.shape))
    return float(np.where(subject[cells], scores, 0).max())


def square_around(subject: Mask, shape: tuple[int, int]) -> Box:
    """Return a square around a subject; the square is cut at the photo's borders.

    `subject`, (h, w), is a mask that is not empty; `shape` is the photo's (height, width).
    """
    spans = []
    for axis, side_px in enumerate(shape):
        inside = np.flatnonzero(subject.any(axis=1 - axis))
        scale = side_px / subject.shape[axis]
        spans.append((inside[0] * scale, (inside[-1] + 1) * scale))
    half = (1 + MARGIN) * max(stop - start for start, stop in spans) / 2
    rows, columns = (
        slice(max(0, floor(middle - half)), min(side_px, ceil(middle + half)))
        for middle, side_px in zip((sum(span) / 2 for span in spans), shape, strict=True)
    )
    return Box(rows, columns)


def _nearest(cells: int, span: slice, side_px: int, pixels: int) -> NDArray[np.intp]:
    """Return the rows or columns of a mask that are nearest to the centres of cells.

    `span` is a range of pixels on a side of the photo; this side has `side_px` pixels. The range is
    divided into `cells` cells. The same side of the mask has `pixels` pixels.
    """
    centres = span.start + (np.arange(cells) + 0.5) * (span.stop - span.start) / cells
    nearest: NDArray[np.intp] = (centres * pixels / side_px).astype(np.intp)
    return nearest
