"""Malicious requests to `/v1.0/removebg` and `/v1.0/account`, with each kind of body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from events import make
from hypothesis import given, settings
from hypothesis import strategies as st
from requests_toolbelt import MultipartEncoder
from tests.attack.raw_events import attacked, event_of
from tests.trials import size

from blur.api.removebg.body import FILE_FIELDS, TEXT_FIELDS
from blur.api.removebg.paths import ACCOUNT_PATH, REMOVEBG_PATH

if TYPE_CHECKING:
    from tests.attack.target import Target

NAMES = st.sampled_from((*TEXT_FIELDS, *FILE_FIELDS, "other"))
PLAUSIBLE = st.sampled_from(
    (
        *("", " ", "0", "-1", "1", "true", "none", "null", "original", "center", "auto", "latest"),
        *("50%", "100%", "0%", "1e9%", "NaN", "inf", "999999999px", "0 0 100% 100%", "5% 5%"),
        *("#fff", "#ffffffff", "transparent", "data:,", "data:;base64,", "R0lGODlhAQ==", "=", "%"),
        *("http://127.0.0.1/", "file:///etc/passwd", "https://[::1]", "//evil.example", "http://"),
        *(
            "\0",
            "\r\nX: y",
            "\u2028",
            "\ud800",
            "\uff11\uff10%",
            "٣%",
            "a" * 100_000,
            "1 " * 50_000,
        ),
    )
)
VALUES = PLAUSIBLE | st.text(max_size=30)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | VALUES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(VALUES, inner, max_size=2),
    max_leaves=4,
)
EXAMPLES = size(150, full=3_000)


def sent(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the event of a request with this body."""
    head = f"POST {REMOVEBG_PATH}\nX-Api-Key: {make.FUNDED}\nContent-Type: {content_type}\n\n"
    return event_of(head.encode() + body)


@settings(max_examples=EXAMPLES, deadline=None)
@given(document=st.dictionaries(NAMES, JSON_VALUES, max_size=6) | JSON_VALUES)
def test_random_json_gets_a_documented_response(document: Any, target: Target) -> None:  # noqa: ANN401 - any JSON value
    attacked(target, sent("application/json", json.dumps(document).encode()))


@settings(max_examples=EXAMPLES, deadline=None)
@given(pairs=st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_random_fields_get_a_documented_response(
    pairs: list[tuple[str, str]], target: Target
) -> None:
    encoded = urlencode(pairs, errors="surrogatepass").encode()
    attacked(target, sent("application/x-www-form-urlencoded", encoded))
    parts = [(name, value.encode(errors="surrogatepass")) for name, value in pairs]
    encoder = MultipartEncoder(parts or [("other", b"")], boundary="B")
    attacked(target, sent("multipart/form-data; boundary=B", encoder.read()))


@settings(max_examples=EXAMPLES, deadline=None)
@given(body=st.binary(max_size=200), content_type=st.text(max_size=40))
def test_random_bytes_get_a_documented_response(
    body: bytes, content_type: str, target: Target
) -> None:
    shown = content_type.encode(errors="replace").decode("latin-1").replace("\n", " ")
    for kind in (shown, "application/json", "application/x-www-form-urlencoded"):
        attacked(target, sent(kind, body))


def test_deep_and_long_documents_are_rejected_quickly(target: Target) -> None:
    deep = b'{"size":' * 100_000
    for body in (deep, b"[" * 1_000_000, b'{"a":1,' * 100_000, b'{"size":' + b"1" * 100_000 + b"}"):
        assert attacked(target, sent("application/json", body)) == "400 invalid_request"
    many = b"size=auto&" * 100_000
    form = "application/x-www-form-urlencoded"
    assert attacked(target, sent(form, many)) == "400 invalid_request"


def test_the_account_route_ignores_an_invalid_body(target: Target) -> None:
    event = make.event("GET", ACCOUNT_PATH, key=make.FUNDED) | {"body": "{" * 1_000}
    assert attacked(target, event) == "200"
