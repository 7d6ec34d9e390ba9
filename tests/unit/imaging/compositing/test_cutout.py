from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import difference, disc, flat, noise

from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.cutout import subject_colours
from blur.imaging.compositing.scene import Scene


@pytest.mark.parametrize("back", [(0, 0, 0), (255, 255, 255), (255, 0, 255)])
def test_the_old_background_is_gone_from_the_soft_edge(back: tuple[int, int, int]) -> None:
    matte, front = disc(200, 200, 60, softness=12), flat(200, 200, (180, 120, 90))
    scene = Scene.of(composite(front, flat(200, 200, back), matte), matte)
    colours = subject_colours(scene.photo, matte, scene.layers)
    for ground in (flat(200, 200, (0, 0, 0)), flat(200, 200, (255, 255, 255))):
        shown, ideal = composite(colours, ground, matte), composite(front, ground, matte)
        assert difference(shown, ideal).max() <= 12
        assert difference(shown, ideal)[(matte > 0) & (matte < 255)].mean() < 2


def test_where_the_matte_is_opaque_the_photo_comes_out_exactly() -> None:
    scene = Scene.of(noise(80, 90), disc(80, 90, 30))
    colours = subject_colours(scene.photo, scene.matte, scene.layers)
    opaque = scene.matte == 255
    np.testing.assert_array_equal(colours[opaque], scene.photo[opaque])


def test_the_subjects_colours_go_on_where_it_is_not() -> None:
    matte, front = disc(200, 200, 60, softness=1), flat(200, 200, (180, 120, 90))
    scene = Scene.of(composite(front, flat(200, 200, (0, 0, 0)), matte), matte)
    colours = subject_colours(scene.photo, matte, scene.layers)
    assert difference(colours, front)[matte == 0].max() <= 12
