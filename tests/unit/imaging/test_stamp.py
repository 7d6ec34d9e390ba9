"""The mark on the results of test keys."""

from __future__ import annotations

import numpy as np
import pytest

from blur.imaging.stamp import INK, PAPER, stamp


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (64, 64), (900, 600)])
def test_only_the_lower_right_corner_changes(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 77, np.uint8)
    stamped, alpha = stamp(picture, None)
    rows, columns = np.nonzero((stamped != picture).any(axis=2))
    assert alpha is None
    assert (rows.max() + 1, columns.max() + 1) == size
    if min(size) >= 64:
        assert rows.min() >= size[0] // 2
        assert columns.min() >= size[1] // 4
    assert (picture == 77).all()


def test_it_is_seen_on_a_transparent_picture() -> None:
    stamped, alpha = stamp(np.zeros((200, 200, 3), np.uint8), np.zeros((200, 200), np.uint8))
    assert alpha is not None
    seen = stamped[alpha == 255]
    assert 0.01 < seen.size / stamped.size < 0.2
    for colour in (INK, PAPER):
        assert (seen == colour).all(axis=1).any()
