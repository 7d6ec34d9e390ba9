from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blur.imaging.tiles import Window, strips, tiles


@given(height=st.integers(1, 700), width=st.integers(1, 700))
def test_tiles_cover_every_pixel_once(height: int, width: int) -> None:
    seen = np.zeros((height, width), np.uint8)
    for window in tiles(height, width):
        seen[window.of] += 1
    assert (seen == 1).all()


@given(height=st.integers(1, 2000), width=st.integers(1, 9000))
def test_strips_cover_every_row_once(height: int, width: int) -> None:
    window = Window(-2, -3, height, width)
    cut = list(strips(window, 1 << 18))
    assert cut[0].top == -2
    assert cut[-1].bottom == height
    assert all(one.bottom == other.top for one, other in pairwise(cut))
    assert {(strip.left, strip.right) for strip in cut} == {(-3, width)}


def test_a_grown_window_has_the_margin_on_every_side() -> None:
    assert Window(1, 2, 3, 4).grown(5) == Window(-4, -3, 8, 9)
