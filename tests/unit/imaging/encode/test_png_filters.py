from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.pictures import noise

from blur.imaging.encode.png_filters import (
    AVERAGE,
    FILTERS,
    PAETH,
    SUB,
    UP,
    Neighbours,
    find_neighbours,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import ImageU8


def every_triple(corner: int) -> Neighbours:
    """Return 256 x 256 zeros, each with a different pair of left and upper neighbours.

    The upper left neighbour of each zero is `corner`.
    """
    left, above = np.mgrid[:256, :256].astype(np.uint8)
    return Neighbours(np.zeros_like(left), left, above, np.full_like(left, corner))


def predict_like_the_standard(a: int, b: int, c: int) -> int:
    """Predict a byte with the pseudocode in W3C PNG, 9.4."""
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c


@pytest.mark.parametrize("corner", [0, 1, 2, 77, 127, 128, 200, 254, 255])
def test_the_paeth_filter_predicts_as_the_png_standard_specifies(corner: int) -> None:
    expected = [[predict_like_the_standard(a, b, corner) for b in range(256)] for a in range(256)]
    predicted = -FILTERS[PAETH](every_triple(corner))
    np.testing.assert_array_equal(predicted, np.array(expected, np.uint8))


def test_the_average_filter_rounds_the_mean_down() -> None:
    pairs = every_triple(0)
    expected = (pairs.left.astype(int) + pairs.above) // 2
    np.testing.assert_array_equal(-FILTERS[AVERAGE](pairs), expected.astype(np.uint8))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("rows", [slice(0, 1), slice(0, 7), slice(3, 9)])
@pytest.mark.parametrize("type_", FILTERS)
def test_a_decoder_restores_rows_from_filtered_bytes(
    type_: int, rows: slice, channels: int
) -> None:
    image = np.dstack((noise(9, 11), noise(9, 11, 1)))[..., :channels]
    filtered = FILTERS[type_](find_neighbours(np.ascontiguousarray(image), rows))
    np.testing.assert_array_equal(unfilter(type_, filtered, image, rows.start), image[rows])


def unfilter(type_: int, filtered: NDArray[np.uint8], image: ImageU8, top: int) -> ImageU8:
    """Decode rows byte by byte (W3C PNG, 9.2); row `top - 1` of `image` is above the first row."""
    _, width, channels = image.shape
    decoded = np.zeros((len(filtered), width, channels), int)
    for y, x, c in np.ndindex(*decoded.shape):
        above = decoded[y - 1] if y else image[top - 1].astype(int) if top else 0 * decoded[0]
        left, corner = (decoded[y, x - 1, c], above[x - 1, c]) if x else (0, 0)
        prediction = {
            SUB: left,
            UP: above[x, c],
            AVERAGE: (left + above[x, c]) // 2,
            PAETH: predict_like_the_standard(left, above[x, c], corner),
        }[type_]
        decoded[y, x, c] = (int(filtered[y, x * channels + c]) + prediction) % 256
    return decoded.astype(np.uint8)
