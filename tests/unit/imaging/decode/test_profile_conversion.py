from __future__ import annotations

import numpy as np
from tests.unit.imaging.icc_profiles import SRGB, display_p3
from tests.unit.imaging.pictures import difference, noise

from blur.imaging.decode.profile_conversion import convert_profile


def test_a_conversion_between_srgb_and_a_missing_profile_changes_no_pixel() -> None:
    pixels = noise(20, 30)
    for source, target in ((None, None), (SRGB, SRGB), (None, SRGB), (SRGB, None)):
        assert convert_profile(pixels, source, target) is pixels


def test_srgb_red_is_less_saturated_in_display_p3() -> None:
    red = np.array([[(255, 0, 0)]], np.uint8)
    converted = convert_profile(red, None, display_p3())[0, 0]
    assert np.abs(converted - np.array([234, 51, 35])).max() <= 3


def test_a_conversion_to_display_p3_and_back_almost_restores_the_colours() -> None:
    pixels = noise(20, 30)
    wide = convert_profile(pixels, None, display_p3())
    assert difference(wide, pixels).max() > 10
    assert difference(convert_profile(wide, display_p3(), None), pixels).max() <= 6


def test_a_broken_profile_is_ignored() -> None:
    pixels = noise(20, 30)
    assert convert_profile(pixels, b"broken", None) is pixels
