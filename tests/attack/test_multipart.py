"""Forms of all kinds: each is parsed or rejected in limited time and with limited memory."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attack.raw_events import FACTOR, FREE_BYTES, LIMIT_S, attacked, measured
from tests.attack.target import form_event
from tests.trials import Part, record, size

from blur.api.multipart import MAX_HEADERS, parse_form
from blur.errors import InvalidRequestError

if TYPE_CHECKING:
    from tests.attack.target import Target

BY = "tests/attack/test_multipart.py"
EXAMPLES = size(150, full=3_000)
BODY_BYTES = size(2_000_000, full=19_900_000)
"""The size of the largest forms: in a full run, slightly less than BLUR_MAX_BODY_BYTES."""
IN_BOUNDARIES = "0123456789abcXYZ'()+_,-./:=? "
"""Some of the characters that RFC 2046, 5.1.1, allows in a boundary; a space cannot be last."""
BOUNDARIES = st.text(IN_BOUNDARIES, min_size=1, max_size=70).filter(lambda text: text[-1] != " ")
CASES = st.sampled_from([str.lower, str.upper, str.title, str.swapcase])
CHARSETS = st.sampled_from(
    ["utf-8", "UTF-16", "latin-1", "utf-7", "idna", "zlib", "undefined", "\0"]
)
NAMES = st.text(
    st.characters(exclude_characters='"\\%\r\n', exclude_categories=["Cs"]), max_size=20
)
CONTENTS = st.binary(max_size=200) | st.sampled_from([b"", b"\r\n", b"--", b"\r\n--", b"\0" * 9])


def part(headers: bytes, content: bytes, boundary: bytes = b"X") -> bytes:
    return b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, headers, content)


def named(name: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="%s"' % name


@settings(max_examples=EXAMPLES, deadline=None)
@given(boundary=BOUNDARIES, parts=st.lists(st.tuples(NAMES, CONTENTS), min_size=1, max_size=5))
def test_valid_forms_with_any_boundary_and_any_field_names_are_read(
    boundary: str, parts: list[tuple[str, bytes]]
) -> None:
    mark = boundary.encode()
    whole = b"".join(part(named(name.encode()), content, mark) for name, content in parts)
    body = whole + b"--%s--" % mark
    try:
        form = parse_form(f'multipart/form-data; boundary="{boundary}"', body)
    except InvalidRequestError:
        assert any(b"\r\n--" + mark in b"\r\n" + content for _, content in parts)
        return
    for name, content in parts:
        assert content in form.all(name.encode().decode("latin-1"))


@st.composite
def odd(draw: st.DrawFn) -> tuple[bytes, str]:
    """Draw a form of two parts, with a random field name, a charset, and headers in any case."""
    case, charset = draw(CASES), draw(CHARSETS)
    headers = case("Content-Disposition: form-data; ").encode() + b'name="radius"\r\n'
    headers += case(f"Content-Type: text/plain; charset={charset}").encode()
    other = named(draw(st.text(max_size=20)).encode(errors="surrogatepass"))
    body = part(headers, draw(CONTENTS)) + part(other, draw(CONTENTS)) + b"--X--"
    return body, f"{case('multipart/form-data; charset=')}{charset}; boundary=X"


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[bytes, str]:
    """Draw pieces of forms in random order, and a content type that sometimes fits the form."""
    pieces = [b"--X\r\n", b"\r\n--X", b"\r\n--X--", b"\r\n\r\n", named(b"radius"), b"\r\n"]
    body = draw(st.lists(st.binary(max_size=40) | st.sampled_from(pieces), max_size=30))
    boundary = draw(st.just("X") | st.text())
    header = draw(st.just(f"multipart/form-data; boundary={boundary}") | st.text(max_size=80))
    return b"".join(body), header


@pytest.mark.parametrize(
    ("kind", "forms"),
    [
        ("forms with headers in any case, random field names and any charset", odd()),
        ("pieces of forms in random order", shuffled()),
    ],
)
def test_random_forms_get_a_documented_response_and_use_limited_memory(
    kind: str, forms: st.SearchStrategy[tuple[bytes, str]], target: Target
) -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(form=forms)
    def answered(form: tuple[bytes, str]) -> None:
        measured(target, form_event(*form))

    answered()
    record(
        Part.BAD_INPUT,
        kind,
        f"{EXAMPLES:,} forms from Hypothesis",
        f"all get a documented response; memory at most {FACTOR} times the request plus "
        f"{FREE_BYTES / 1e6:.0f} MB",
        by=BY,
    )


def huge() -> dict[str, bytes]:
    """Return bodies of the maximum size that are expensive to parse, by name."""

    def filled(one: bytes) -> bytes:
        return one * (BODY_BYTES // len(one))

    start, end = part(named(b"image"), b"")[:-2], b"\r\n--X--\r\n"
    return {
        "one part": start + filled(b"\x89PNG") + end,
        "one part, without an end": start + filled(b"\x89PNG"),
        "empty parts": filled(part(named(b"a"), b"")) + b"--X--",
        "the maximum number of parts": part(named(b"a"), bytes(BODY_BYTES // 25)) * 20 + b"--X--",
        "one header": b"--X\r\n" + filled(b"a"),
        "headers": b"--X\r\n" + filled(b"a: b\r\n"),
        "parts with the longest headers": filled(
            b"--X\r\n"
            + named(b"a")
            + (b"\r\nX: " + b"y" * 4000) * (MAX_HEADERS - 1)
            + b"\r\n\r\n\r\n"
        ),
        "line ends": start + filled(b"\r\n") + end,
        "almost boundaries": start + filled(b"\r\n--") + end,
        "text before the first part": filled(b"\r\n--Y") + end,
        "text after the last part": start + end + filled(b"\r\n--X"),
        "hyphens": filled(b"-"),
        "zeros": filled(b"\0"),
    }


def test_the_largest_forms_are_rejected_in_limited_time_and_memory(target: Target) -> None:
    bodies, most = huge(), 0.0
    for name, body in bodies.items():
        event = form_event(body, "multipart/form-data; boundary=X")
        outcome = attacked(target, event)
        assert outcome.split()[-1] in {"invalid_request", "invalid_image", "invalid_radius"}, name
        tracemalloc.start()
        target(event)
        most = max(most, tracemalloc.get_traced_memory()[1] / len(body))
        tracemalloc.stop()
    assert most < 4
    record(
        Part.BAD_INPUT,
        "largest possible forms: one part, or only parts, headers or line ends",
        f"{len(bodies)} forms of {BODY_BYTES / 1e6:.0f} MB",
        f"rejected within {LIMIT_S:.0f} s; memory at most {most:.1f} times the body",
        by=BY,
    )
