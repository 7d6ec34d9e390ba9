from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.unit.imaging.pictures import difference, disc, flat, noise, whole

from blur.imaging.composite import over
from blur.imaging.defocus import defocus


@pytest.mark.parametrize("radius", [2, 10, 50])
def test_the_subject_does_not_bleed_into_the_background(radius: float) -> None:
    matte = disc(200, 200, 50, softness=1)
    hard = np.where(matte > 127, 255, 0).astype(np.uint8)
    photo = over(flat(200, 200, (255, 0, 0)), flat(200, 200, (30, 60, 90)), hard)
    blurred = whole(defocus(photo, hard, radius), photo.shape)
    np.testing.assert_array_equal(blurred, flat(200, 200, (30, 60, 90)))


def test_a_wider_radius_leaves_less_detail() -> None:
    photo, matte = noise(200, 200), disc(200, 200, 40)
    blurred = (whole(defocus(photo, matte, r), photo.shape) for r in (1, 3, 9, 27))
    detail = [np.abs(np.diff(one.astype(float), axis=0)).mean() for one in blurred]
    assert all(finer > 2 * coarser for finer, coarser in pairwise(detail))


def test_pixels_that_the_photo_hides_do_not_show_up() -> None:
    photo, matte = flat(100, 100, (90, 90, 90)), np.zeros((100, 100), np.uint8)
    alpha = np.full((100, 100), 255, np.uint8)
    photo[:, 70:], alpha[:, 70:] = (0, 255, 0), 0
    blurred = whole(defocus(photo, matte, 8, alpha), photo.shape)
    assert difference(blurred, flat(100, 100, (90, 90, 90))).max() == 0
