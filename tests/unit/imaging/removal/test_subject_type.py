"""`X-Type` is `person` if one network confirms the subject and another network finds its face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.pictures import astronaut, flat

from blur.imaging.matting.matte import SubjectMaps
from blur.imaging.removal.subject_type import (
    confirmed_share,
    face_score,
    find_subject_type,
    square_around,
)
from blur.imaging.roi import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32, RgbU8

SIDE, CELLS = 320, 48


class Faces:
    """A predictor that finds a face in one cell of its output, and records its photos."""

    side_px = 192

    def __init__(self, score: float, row: int = 24, column: int = 24) -> None:
        self.scores = np.zeros((CELLS, CELLS), np.float32)
        self.scores[row, column] = score
        self.photos: list[RgbU8] = []

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        self.photos.append(photo)
        return self.scores


def box(top: int, bottom: int, left: int, right: int) -> AlphaF32:
    """Return a map of probabilities: 1 inside a box, and 0 outside."""
    drawn = np.zeros((SIDE, SIDE), np.float32)
    drawn[top:bottom, left:right] = 1
    return drawn


SUBJECT = box(80, 240, 80, 240)
CONFIRMED = SubjectMaps(SUBJECT, SUBJECT)


@pytest.mark.parametrize(("score", "expected"), [(0.5, "person"), (0.49, "other"), (0, "other")])
def test_a_confirmed_subject_with_a_face_is_a_person(score: float, expected: str) -> None:
    assert find_subject_type(CONFIRMED, astronaut(), Faces(score)) == expected


@pytest.mark.parametrize(
    "people",
    [None, box(80, 198, 80, 240), box(0, 0, 0, 0)],
    ids=["no network", "under 75 %", "nobody"],
)
def test_no_face_is_searched_for_if_the_network_for_people_does_not_confirm_the_subject(
    people: AlphaF32 | None,
) -> None:
    faces = Faces(1)
    assert find_subject_type(SubjectMaps(SUBJECT, people), astronaut(), faces) == "other"
    assert faces.photos == []


def test_without_the_network_for_faces_each_subject_has_the_type_other() -> None:
    assert find_subject_type(CONFIRMED, astronaut(), None) == "other"


def test_only_opaque_pixels_count_for_the_share_that_the_network_for_people_confirms() -> None:
    faint = np.maximum(SUBJECT, box(0, 320, 0, 320) * np.float32(0.4))
    assert confirmed_share(SubjectMaps(faint, SUBJECT)) == pytest.approx(1)
    assert confirmed_share(SubjectMaps(SUBJECT, box(80, 160, 80, 240))) == pytest.approx(0.5)
    assert confirmed_share(SubjectMaps(box(0, 0, 0, 0), SUBJECT)) == 0


def test_a_face_outside_the_subject_does_not_count() -> None:
    subject = SUBJECT > 0
    photo = flat(SIDE, SIDE, (90, 90, 90))
    # The square is 208 pixels wide. The subject starts 24 pixels (5.5 cells) inside the square.
    assert face_score(subject, photo, Faces(0.9, 6, 6)) == pytest.approx(0.9)
    assert face_score(subject, photo, Faces(0.9, 4, 24)) == 0
    assert face_score(subject, photo, Faces(0.9, 24, 43)) == 0


@pytest.mark.parametrize(
    ("subject", "shape", "expected"),
    [
        (box(80, 240, 80, 240), (320, 320), Box(slice(56, 264), slice(56, 264))),
        (box(80, 240, 80, 240), (640, 320), Box(slice(112, 528), slice(0, 320))),
        (box(110, 210, 150, 170), (320, 320), Box(slice(95, 225), slice(95, 225))),
        (box(0, 100, 0, 100), (320, 320), Box(slice(0, 115), slice(0, 115))),
        (box(0, 320, 0, 320), (200, 300), Box(slice(0, 200), slice(0, 300))),
        (box(319, 320, 319, 320), (1, 1), Box(slice(0, 1), slice(0, 1))),
        (box(0, 1, 0, 1), (320, 320), Box(slice(0, 2), slice(0, 2))),
    ],
    ids=["middle", "tall photo", "narrow", "corner", "whole", "one pixel", "tiny"],
)
def test_faces_are_searched_for_in_a_square_around_the_subject(
    subject: AlphaF32, shape: tuple[int, int], expected: Box
) -> None:
    assert square_around(subject > 0, shape) == expected
    faces = Faces(1)
    face_score(subject > 0, flat(*shape, (9, 9, 9)), faces)
    assert [photo.shape[:2] for photo in faces.photos] == [expected.shape]
