"""GIF files: the first frame can be smaller than the canvas."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.pictures import astronaut, saved

from blur.imaging.decode.decoder import decode


def on_a_canvas(size: tuple[int, int], position: tuple[int, int], **options: int) -> bytes:
    """Return a GIF with a frame of 20 x 10 pixels at `position` on a canvas of `size`."""
    data = bytearray(saved(Image.fromarray(astronaut(10, 20)).quantize(16), "GIF", **options))
    at = data.index(b",\0\0\0\0" + struct.pack("<2H", 20, 10))
    data[6:10] = struct.pack("<2H", *size)
    data[at + 1 : at + 5] = struct.pack("<2H", *position)
    return bytes(data)


@pytest.mark.parametrize("options", [{}, {"transparency": 3}])
def test_the_canvas_around_a_smaller_first_frame_is_transparent(options: dict[str, int]) -> None:
    whole = decode(on_a_canvas((20, 10), (0, 0), **options), max_pixels=10_000)
    photo = decode(on_a_canvas((50, 40), (7, 9), **options), max_pixels=10_000)
    assert photo.alpha is not None
    inside = np.full((10, 20), 255) if whole.alpha is None else whole.alpha
    expected = np.zeros((40, 50))
    expected[9:19, 7:27] = inside
    np.testing.assert_array_equal(photo.alpha, expected)
    np.testing.assert_array_equal(photo.pixels[9:19, 7:27], whole.pixels)


def test_a_gif_whose_first_frame_covers_the_canvas_has_no_alpha() -> None:
    assert decode(on_a_canvas((20, 10), (0, 0)), max_pixels=10_000).alpha is None
