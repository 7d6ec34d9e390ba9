"""Find where subjects touch the ground: feet, wheels, the base of a product.

The masks are made from a small copy of the matte. Coordinates are rows and columns of this copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Mask: TypeAlias = NDArray[np.bool_]

MIN_AREA = 0.05
"""The minimum area of a subject, as a share of the largest subject's area. A smaller object, such
as a ball, is not a subject."""
MAX_GAP = 0.15
"""The maximum vertical gap between two components of one subject, as a share of the height of both
components together."""
MIN_FRAGMENT = 0.01
"""The minimum area of a part of a subject, as a share of the largest component's area."""
MAX_FOOT_RISE = 0.2
"""The maximum height of a contact above the subject's lowest contact, as a share of the subject's
height."""
MIN_PROMINENCE = 0.03
"""The minimum distance by which a contact protrudes below the outline around the contact, as a
share of the subject's height."""
MAX_CUT = 1 / 3
"""A subject is cut off if more than this share of its width touches the mask's lower border."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One subject: a component of the mask, or several components one above the other."""

    mask: Mask

    @property
    def area(self) -> int:
        """The number of the subject's pixels."""
        return int(np.count_nonzero(self.mask))

    @property
    def columns(self) -> slice:
        """The columns that the subject covers."""
        covered = np.flatnonzero(self.mask.any(axis=0))
        return slice(int(covered[0]), int(covered[-1]) + 1)

    @property
    def top(self) -> int:
        """The uppermost row of the subject."""
        return int(self.mask.any(axis=1).argmax())

    @property
    def bottom(self) -> int:
        """The row below the lowest row of the subject."""
        return int(self.mask.shape[0] - self.mask[::-1].any(axis=1).argmax())

    @property
    def height(self) -> int:
        """The number of rows that the subject covers."""
        return self.bottom - self.top

    @property
    def is_cut(self) -> bool:
        """Whether the mask's lower border cuts the subject off, which hides its contacts."""
        width = self.columns.stop - self.columns.start
        border = np.count_nonzero(self.mask[-2:].any(axis=0))
        return bool(border > MAX_CUT * width)

    def contacts(self) -> list[int]:
        """Return the row below each contact; the lowest row of the subject is always a contact."""
        outline = lower_outline(self.mask[:, self.columns])
        lowest = max(outline)
        prominence = max(1.0, MIN_PROMINENCE * self.height)
        return [
            row
            for row in protrusions(outline, prominence)
            if lowest - row <= MAX_FOOT_RISE * self.height
        ]


def find_subjects(mask: Mask) -> list[Subject]:
    """Return the subjects of a mask, (H, W), the largest first.

    The matte of one subject can have gaps, such as between legs and trunk, or where an object is in
    front of the subject. So two components are one subject if one is close above the other.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    large = [label for label in range(1, count) if areas[label] >= MIN_FRAGMENT * areas[1:].max()]
    joined: list[Subject] = []
    for part in _by_area(Subject(labels == label) for label in large):
        whole = next((other for other in joined if _belong_together(part, other)), None)
        if whole is None:
            joined.append(part)
        else:
            joined[joined.index(whole)] = Subject(whole.mask | part.mask)
    joined = _by_area(joined)
    return [subject for subject in joined if subject.area >= MIN_AREA * joined[0].area]


def lower_outline(mask: Mask) -> list[int]:
    """Return for each column of a mask the row below the lowest pixel; 0 for an empty column."""
    rows = mask.shape[0] - mask[::-1].argmax(axis=0)
    lowest: list[int] = np.where(mask.any(axis=0), rows, 0).tolist()
    return lowest


def protrusions(outline: list[int], prominence: float) -> list[int]:
    """Return the local maxima that exceed the minima on both sides by at least `prominence`.

    The returned list always contains the largest value of the outline.
    """
    peaks: list[int] = []
    peak, valley, is_rising = outline[0], outline[0], True
    for row in (*outline, -ceil(prominence)):
        peak, valley = max(peak, row), min(valley, row)
        if is_rising and row <= peak - prominence:
            peaks.append(peak)
            valley, is_rising = row, False
        elif not is_rising and row >= valley + prominence:
            peak, is_rising = row, True
    return peaks


def _by_area(subjects: Iterable[Subject]) -> list[Subject]:
    return sorted(subjects, key=lambda subject: subject.area, reverse=True)


def _belong_together(one: Subject, other: Subject) -> bool:
    """Return whether one part is close above the other part, and mostly in the same columns."""
    upper, lower = sorted((one, other), key=lambda subject: subject.top)
    gap = lower.top - upper.bottom
    height = lower.bottom - upper.top
    left = max(one.columns.start, other.columns.start)
    right = min(one.columns.stop, other.columns.stop)
    narrower = min(subject.columns.stop - subject.columns.start for subject in (one, other))
    return 0 <= gap <= MAX_GAP * height and right - left > narrower / 2
