from __future__ import annotations

import numpy as np
from tests.unit.imaging.pictures import disc, random_alpha

from blur.imaging.removal.specks import remove_specks


def test_a_faint_region_away_from_the_subject_is_removed() -> None:
    matte = disc(60, 80, 15)
    faint = matte.copy()
    faint[2:4, 3:9] = 127
    assert np.array_equal(remove_specks(faint), matte)


def test_a_separate_region_is_kept_if_one_of_its_pixels_is_half_opaque() -> None:
    matte = disc(60, 80, 15)
    matte[2:4, 3:9] = 40
    matte[3, 9] = 128
    assert np.array_equal(remove_specks(matte), matte)


def test_regions_that_touch_at_a_corner_count_as_one_region() -> None:
    matte = np.zeros((4, 4), np.uint8)
    matte[1, 1], matte[2, 2] = 255, 9
    assert np.array_equal(remove_specks(matte), matte)


def test_a_matte_that_is_faint_everywhere_does_not_change() -> None:
    matte = random_alpha(20, 30) // 2
    assert np.array_equal(remove_specks(matte), matte)
    assert not remove_specks(np.zeros((3, 4), np.uint8)).any()
