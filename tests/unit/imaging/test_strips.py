from __future__ import annotations

import pytest

from blur.imaging.strips import STRIP_PX, for_each_strip, row_strips


@pytest.mark.parametrize("shape", [(1, 1), (1, 10**6), (10**6, 1), (3000, 4000), (7, STRIP_PX + 1)])
def test_strips_cover_every_row_once_and_have_a_limited_size(shape: tuple[int, int]) -> None:
    pieces = row_strips(*shape)
    rows = [row for piece in pieces for row in range(piece.start, piece.stop)]
    assert rows == list(range(shape[0]))
    assert all((one.stop - one.start) * shape[1] <= max(STRIP_PX, shape[1]) for one in pieces)


def test_an_exception_in_a_strip_is_raised() -> None:
    def fail(rows: slice) -> None:
        raise ValueError(rows.start)

    with pytest.raises(ValueError, match="0"):
        for_each_strip((10, 10), fail)
