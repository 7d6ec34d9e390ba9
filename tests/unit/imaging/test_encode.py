from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.pictures import noise
from tests.unit.imaging.profiles import SRGB

from blur.errors import InvalidFormatError
from blur.imaging.encode import FORMATS, encode


def chunks(png: bytes) -> list[bytes]:
    """The kinds of chunk in a PNG, in order (W3C PNG, 5.3)."""
    kinds, at = [], 8
    while at < len(png):
        kinds.append(png[at + 4 : at + 8])
        at += 12 + int.from_bytes(png[at : at + 4])
    return kinds


def test_a_png_holds_the_very_pixels() -> None:
    encoded = encode(noise(20, 30), None, None, "png")
    assert encoded.content_type == "image/png"
    image = Image.open(BytesIO(encoded.data))
    assert (image.format, image.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(image), noise(20, 30))


def test_alpha_makes_it_rgba() -> None:
    alpha = noise(20, 30, 5)[..., 0]
    image = Image.open(BytesIO(encode(noise(20, 30), alpha, None).data))
    np.testing.assert_array_equal(np.asarray(image), np.dstack((noise(20, 30), alpha)))


def test_the_profile_goes_along() -> None:
    image = Image.open(BytesIO(encode(noise(20, 30), None, SRGB).data))
    assert image.info["icc_profile"] == SRGB


@pytest.mark.parametrize("profile", [None, SRGB])
def test_nothing_else_is_written(profile: bytes | None) -> None:
    kinds = set(chunks(encode(noise(20, 30), None, profile).data))
    assert kinds == {b"IHDR", b"IDAT", b"IEND"} | ({b"iCCP"} if profile else set())


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidFormatError, match=", ".join(FORMATS)):
        encode(noise(2, 2), None, None, "bmp")
