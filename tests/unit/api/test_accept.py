"""The `Accept` header: which format the client prefers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.api.accept import accepts_explicitly, preferred_format, prefers_json
from blur.imaging.encode.formats import OUTPUT_FORMATS


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", "png"),
        ("*/*", "png"),
        ("image/*", "png"),
        ("image/jpeg", "jpeg"),
        ("IMAGE/WebP", "webp"),
        ("image/jpeg, */*", "jpeg"),
        ("image/jpeg;q=0.5, image/webp;q=0.6", "webp"),
        ("image/jpeg;q=0.5, image/*", "png"),
        ("image/png;q=0, image/*;q=0.1, image/avif;q=0.2", "avif"),
        ("image/png;q=0.3, image/jpeg;q=0.30", "png"),
        ("image/png;q=0, image/*", "jpeg"),
        ("text/html, application/json;q=0.9", "png"),
        ("*/*;q=0", "png"),
        ("image/webp ; Q = 0.8 , image/png;q=0.7", "webp"),
        ("image/webp;level=1;q=0.2, image/jpeg;q=0.4", "jpeg"),
        ("image/webp;q=nonsense", "webp"),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "webp"),
        (",,;;,=,", "png"),
        ("image/jpeg;q=0", "png"),
        ("image/*, image/webp", "webp"),
        ("image/jpeg;q=0.5, */*", "png"),
        ("image/jpeg;q=0.5, image/*;q=0.2, */*", "jpeg"),
        ("image/webp;q=1.001", "webp"),
        ("image/webp;q=0.1234, image/jpeg;q=0.9", "webp"),
        ("image/webp;q=, image/jpeg;q=0.9", "webp"),
        ("image/webp;q=0., image/jpeg;q=0.1", "jpeg"),
        ("image/webp;q=0.9, image/jpeg;q=1.000", "jpeg"),
        ("x," * 495 + "image/webp", "webp"),
        ("xy" + "x," * 495 + "image/webp", "png"),
        ("y" + "x," * 495 + "image/webp", "png"),
    ],
)
def test_the_accept_header_selects_the_format_and_png_is_the_default(
    header: str, name: str
) -> None:
    assert preferred_format(header) == name


@given(st.text())
def test_every_header_selects_a_format(header: str) -> None:
    assert preferred_format(header) in OUTPUT_FORMATS


@pytest.mark.parametrize(
    ("header", "is_json"),
    [
        ("application/json", True),
        ("APPLICATION/JSON; charset=utf-8", True),
        ("application/json, text/plain", True),
        ("application/*", True),
        ("application/json, image/*;q=0.5", True),
        ("application/json, */*;q=0.9", True),
        ("", False),
        ("*/*", False),
        ("application/json, text/plain, */*", False),
        ("application/json, image/png", False),
        ("application/json;q=0.5, image/*", False),
        ("image/webp, application/json;q=0.5", False),
        ("image/jpeg, application/json", False),
        ("image/webp;q=0.4, application/json;q=0.5", True),
        ("application/json;q=0", False),
        ("text/html", False),
    ],
)
def test_json_is_preferred_only_if_its_quality_is_higher_than_that_of_every_image_format(
    header: str, *, is_json: bool
) -> None:
    assert prefers_json(header) is is_json


@pytest.mark.parametrize(
    ("header", "content_type", "is_accepted"),
    [
        ("image/webp", "image/webp", True),
        ("image/*", "image/webp", True),
        ("application/zip;q=0.1", "application/zip", True),
        ("application/*, */*", "application/zip", True),
        ("*/*", "image/webp", False),
        ("", "image/webp", False),
        ("image/png, */*", "image/webp", False),
        ("image/webp;q=0, image/*", "image/webp", False),
        ("image/*", "application/zip", False),
    ],
)
def test_a_type_is_accepted_explicitly_if_the_header_has_its_name_or_a_range_of_its_main_type(
    header: str, content_type: str, *, is_accepted: bool
) -> None:
    assert accepts_explicitly(header, content_type) is is_accepted
