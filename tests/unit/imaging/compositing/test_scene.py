from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.pictures import noise, random_alpha

from blur.imaging.compositing.scene import Scene

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8


@pytest.mark.parametrize(
    ("photo", "matte", "alpha"),
    [
        (noise(4, 5)[..., 0], random_alpha(4, 5), None),
        (noise(4, 5).astype(np.float32), random_alpha(4, 5), None),
        (np.dstack([noise(4, 5)] * 2), random_alpha(4, 5), None),
        (noise(4, 5), random_alpha(5, 4), None),
        (noise(4, 5), random_alpha(4, 5) > 9, None),
        (noise(4, 5), random_alpha(4, 5), random_alpha(4, 4)),
        (noise(0, 5), random_alpha(0, 5), None),
    ],
)
def test_decompose_rejects_arrays_of_a_wrong_shape_or_dtype(
    photo: RgbU8, matte: AlphaU8, alpha: AlphaU8 | None
) -> None:
    with pytest.raises(ValueError, match="must be uint8"):
        Scene.decompose(photo, matte, alpha)
