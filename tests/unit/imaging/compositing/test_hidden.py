from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import difference, flat, noise, random_coverage

from blur.imaging.compositing.hidden import fill_transparent


def test_what_is_seen_stays_and_what_is_hidden_has_no_say() -> None:
    alpha = random_coverage(90, 70)
    alpha[:, 30:50] = 0
    one, other = noise(90, 70), noise(90, 70)
    other[alpha == 0] = (255, 0, 0)
    np.testing.assert_array_equal(fill_transparent(one, alpha), fill_transparent(other, alpha))
    np.testing.assert_array_equal(fill_transparent(one, alpha)[alpha > 0], one[alpha > 0])


def test_the_colours_that_are_seen_go_on_underneath() -> None:
    photo, alpha = flat(60, 60, (200, 100, 50)), np.zeros((60, 60), np.uint8)
    alpha[:, :20] = 255
    photo[:, 20:] = 0
    assert difference(fill_transparent(photo, alpha), flat(60, 60, (200, 100, 50))).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (900, 2)])
def test_a_photo_that_is_wholly_hidden_is_still_a_photo(size: tuple[int, int]) -> None:
    assert fill_transparent(noise(*size), np.zeros(size, np.uint8)).shape == (*size, 3)


def test_a_photo_of_which_nothing_is_hidden_is_taken_as_it_is() -> None:
    photo = noise(20, 30)
    assert fill_transparent(photo, np.full((20, 30), 1, np.uint8)) is photo
