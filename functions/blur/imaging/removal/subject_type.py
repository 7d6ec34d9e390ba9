"""Name the kind of subject, as far as the networks know it: a person, or something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from blur.imaging.matting.people import keep_people

if TYPE_CHECKING:
    from blur.imaging.matting.matte import SubjectMaps

SubjectType = Literal["person", "other"]
MIN_CONFIRMED = 0.9
"""Least share of the subject that the network for people confirms."""
HALF = 0.5


def confirmed_share(maps: SubjectMaps) -> float:
    """Return the share of the subject that the network for people confirms, 0..1.

    It is the weight of the persons' pixels among those of the subject.
    """
    if maps.people is None:
        return 0.0
    subject = np.where(maps.subject > HALF, maps.subject, np.float32(0))
    total = float(subject.sum())
    return float((subject * keep_people(maps.people)).sum()) / total if total > 0 else 0.0


def find_subject_type(maps: SubjectMaps) -> SubjectType:
    """Return "person" if the network for people confirms the subject, else "other"."""
    return "person" if confirmed_share(maps) >= MIN_CONFIRMED else "other"
