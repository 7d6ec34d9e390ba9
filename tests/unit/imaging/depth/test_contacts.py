from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from blur.imaging.depth.contacts import find_subjects, lower_outline, protrusions

if TYPE_CHECKING:
    from blur.imaging.depth.contacts import Mask


def mask_of(*boxes: tuple[int, int, int, int], height: int = 200, width: int = 200) -> Mask:
    """Return a mask with boxes, each given as (top, bottom, left, right)."""
    mask = np.zeros((height, width), np.bool_)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def table(*legs: int) -> Mask:
    """Return the mask of a table; each number in `legs` is the row at which one leg ends."""
    boxes = [(80, 100, 20, 180)]
    boxes += [(100, row, 20 + 30 * leg, 28 + 30 * leg) for leg, row in enumerate(legs)]
    return mask_of(*boxes)


def test_each_leg_of_a_table_has_a_contact_with_the_ground() -> None:
    (subject,) = find_subjects(table(160, 150, 158))
    assert sorted(subject.contacts()) == [150, 158, 160]


def test_a_hand_above_the_ground_does_not_count_as_contact_with_the_ground() -> None:
    person = mask_of((20, 180, 90, 110), (40, 110, 110, 120))
    (subject,) = find_subjects(person)
    assert subject.contacts() == [180]


def test_a_base_with_small_gaps_is_one_contact_with_the_ground() -> None:
    mask = mask_of((50, 150, 50, 150))
    mask[149, 60:150:7] = False
    (subject,) = find_subjects(mask)
    assert subject.contacts() == [150]


def test_subjects_are_sorted_by_size_and_very_small_regions_are_left_out() -> None:
    near, far, litter = (40, 180, 20, 60), (60, 120, 120, 140), (190, 193, 150, 153)
    subjects = find_subjects(mask_of(far, litter, near))
    assert [subject.bottom for subject in subjects] == [180, 120]


def test_two_regions_with_a_small_gap_between_them_are_one_subject() -> None:
    trunk, legs = (40, 110, 80, 120), (116, 190, 85, 115)
    (subject,) = find_subjects(mask_of(trunk, legs))
    assert (subject.top, subject.bottom) == (40, 190)


def test_a_region_far_above_a_subject_is_a_separate_subject() -> None:
    person, kite = (100, 190, 80, 120), (5, 45, 70, 130)
    subjects = find_subjects(mask_of(person, kite))
    assert [subject.top for subject in subjects] == [100, 5]


@pytest.mark.parametrize(("width", "cut"), [(40, [True]), (10, [False])])
def test_a_subject_is_cut_off_if_most_of_its_width_touches_the_lower_border_of_the_photo(
    width: int, cut: list[bool]
) -> None:
    body, foot = (50, 180, 80, 120), (180, 200, 80, 80 + width)
    assert [subject.is_cut for subject in find_subjects(mask_of(body, foot))] == cut


def test_the_lower_outline_is_the_row_below_the_lowest_pixel_of_each_column() -> None:
    assert lower_outline(mask_of((2, 5, 0, 2), (1, 3, 2, 3), height=8, width=4)) == [5, 5, 3, 0]


@pytest.mark.parametrize(
    ("outline", "found"),
    [
        ([7], [7]),
        ([1, 5, 1], [5]),
        ([1, 5, 4, 5, 1], [5]),
        ([1, 5, 2, 6, 1, 4], [5, 6, 4]),
        ([9, 5, 1], [9]),
        ([1, 5, 9], [9]),
        ([0, 0, 0], [0]),
    ],
)
def test_only_maxima_with_at_least_the_minimum_prominence_are_protrusions(
    outline: list[int], found: list[int]
) -> None:
    assert protrusions(outline, 3) == found
