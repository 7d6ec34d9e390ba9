"""libpng accepts the ICC profiles that our code repairs or builds."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.decode.sample_files import in_srgb
from tests.unit.imaging.icc_profiles import SRGB, display_p3
from tests.unit.imaging.pictures import astronaut, saved

from blur.imaging.decode.decoder import decode
from blur.imaging.decode.icc import (
    ADOBE_RGB,
    ADOBE_RGB_CURVE,
    BT2020,
    DISPLAY_P3,
    SRGB_CURVE,
    build_profile,
    repair_header,
)
from blur.imaging.encode.encoder import encode
from blur.imaging.encode.formats import OUTPUT_FORMATS


def accepted_by_libpng(profile: bytes) -> bool:
    """Return whether a profile passes libpng's png_icc_check_header (pngset.c, png.c)."""
    size = int.from_bytes(profile[:4])
    is_complete = size == len(profile) >= 132
    is_aligned = profile[8] <= 3 or size % 4 == 0
    intent = int.from_bytes(profile[64:68])
    spaces = profile[16:20] == b"RGB " and profile[20:24] in {b"XYZ ", b"Lab "}
    kind = profile[12:16] in {b"scnr", b"mntr", b"prtr", b"spac"}
    return (
        is_complete
        and is_aligned
        and intent < 0xFFFF
        and profile[36:40] == b"acsp"
        and spaces
        and kind
    )


def version_4(profile: bytes, more: bytes) -> bytes:
    whole = profile[:8] + b"\x04\x30" + profile[10:] + more
    return len(whole).to_bytes(4) + whole[4:]


@pytest.mark.parametrize(
    ("profile", "intent"),
    [
        (display_p3()[:64] + b"\1\0\0\0" + display_p3()[68:], 1),
        (display_p3()[:64] + b"\xff\xff\xff\xff" + display_p3()[68:], 0),
        (version_4(display_p3(), b"\0\0"), 0),
        (display_p3() + b"\0\0\0\0", 0),
    ],
)
@pytest.mark.parametrize("output", OUTPUT_FORMATS)
def test_a_profile_with_an_invalid_header_is_repaired(
    profile: bytes, intent: int, output: str
) -> None:
    sent = saved(Image.fromarray(astronaut(20, 20)), "JPEG", icc_profile=profile)
    photo = decode(sent, max_pixels=1000)
    assert photo.icc_profile is not None
    written = encode(photo.pixels, None, photo.icc_profile, output, 90).data
    result = Image.open(BytesIO(written)).info["icc_profile"]
    assert accepted_by_libpng(result)
    assert int.from_bytes(result[64:68]) == intent
    assert result[128:200] == profile[128:200]


@pytest.mark.parametrize("profile", [SRGB, display_p3()])
def test_a_valid_profile_is_not_changed(profile: bytes) -> None:
    assert repair_header(profile) == profile


@pytest.mark.parametrize(
    "profile",
    [
        build_profile("a", DISPLAY_P3, SRGB_CURVE),
        build_profile("b", BT2020, SRGB_CURVE),
        build_profile("c", ADOBE_RGB, ADOBE_RGB_CURVE),
    ],
)
def test_built_profiles_are_valid_and_do_not_change_white(profile: bytes) -> None:
    assert accepted_by_libpng(profile)
    white = np.full((2, 2, 3), 255, np.uint8)
    assert in_srgb(white, profile).min() >= 254
