"""Malicious requests: headers, keys, paths and methods."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attack.raw_events import attacked
from tests.attack.target import outcome_of
from tests.trials import Part, record, size

from blur.api.request import SINGLETON_HEADERS

if TYPE_CHECKING:
    from tests.attack.target import Target

BY = "tests/attack/test_api.py"
ROUTES = {
    "/v2/rembg/blur/": "POST",
    "/v2/uploads": "POST",
    "/v2/account": "GET",
    "/v1.0/removebg": "POST",
    "/v1.0/account": "GET",
    "/health": "GET",
    "/openapi.json": "GET",
    "/": "GET",
    "/docs": "GET",
    "/app.js": "GET",
}
METHODS = (
    *("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "TRACE", "PATCH", "PROPFIND", "get"),
    *("", "GET ", "G\0ET", "POST\r\nX: y", "\u0130", "X" * 1_000_000),
)
ALLOWED = {"GET": ("GET", "HEAD", "OPTIONS"), "POST": ("POST", "OPTIONS")}
MEGABYTE = "x" * 1_000_000
UNFIT = (
    "ok\r\nX-Injected: yes",
    "ok\nSet-Cookie: a=b",
    "\r\n\r\n<script>",
    "\0",
    "\x7f\x80\xff",
    "\u2028\U0001f4f7",
    "\ud800",
    "\u0130\u0661",
    "",
    " ",
    MEGABYTE,
    "," * 200_000,
    "a;q=" * 200_000,
    '"\\' * 200_000,
    "[",
    "[::::]:99999",
    "evil.example:x@y/z?#",
    "%0d%0aX: y",
)
NAMES = (
    *("ApiKey", "X-Api-Key", "Idempotency-Key", "Accept", "Content-Type", "Content-Length", "Host"),
    *("X-Forwarded-Proto", "If-None-Match", "Origin", "Expect", "Transfer-Encoding", "X-Other"),
)
PATHS = (
    *("", "*", "//", "/.", "/..", "/%2e%2e/", "/\n", "/\r\nX: y", "/docs\n", "/docs/\n", "/\0"),
    *("/v2/account/..", "/v2/rembg/blur/../../account", "/v2//account", "//v2/account"),
    *("/v2/account%2f", "/v2/account;x=y", "/v2/account?x", "/V2/ACCOUNT", "\\v2\\account"),
    *("/v2/account\r\nX: y", "/v2/account\u2044", "http://evil.example/v2/account"),
    *("/index.html", "/index.txt", "/site/app.js", "/app.js/../../template.yaml", "/app.js%00.css"),
    *(
        "/../../../etc/passwd",
        "/....//etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/file:/etc/passwd",
    ),
    *("/(((((((((", "/" + "a" * 1_000_000, "/" * 100_000, "/" + "a/" * 100_000, "/\ud800"),
)
SINGLE = st.text(max_size=30) | st.sampled_from([*UNFIT[:9], make.FUNDED, make.UNKNOWN])


def sent(path: str = "/v2/account", method: str = "GET", **headers: str) -> dict[str, Any]:
    """Return a request's event, with a valid key unless `headers` has a different one."""
    event = make.event(method, path, key=make.FUNDED)
    for name, value in headers.items():
        event["headers"][name] = value
        event["multiValueHeaders"][name] = [value]
    return event


def requests_to_every_route() -> list[dict[str, Any]]:
    """Return one request for each of `ROUTES`; the photo in a request is not a valid image."""
    reads = [sent(path) for path, method in ROUTES.items() if method == "GET"]
    posts = [make.blur(image=b"no image"), make.upload(), make.removal(image=b"no image")]
    return [*posts, *reads]


def test_invalid_headers_get_documented_responses_with_valid_headers(target: Target) -> None:
    tried = 0
    for name, value in product(NAMES, UNFIT):
        for event in requests_to_every_route():
            event["headers"][name] = value
            event["multiValueHeaders"][name] = [value]
            attacked(target, event)
            tried += 1
    record(
        Part.BAD_INPUT,
        "headers with line ends, NUL or Unicode, or one megabyte long",
        f"{len(NAMES)} headers, {len(UNFIT)} values, every route: {tried:,}",
        "documented responses within 1 s, with no line end and no NUL in their headers",
        by=BY,
    )


@pytest.mark.parametrize("name", SINGLETON_HEADERS)
@pytest.mark.parametrize(("path", "method"), ROUTES.items())
def test_every_route_rejects_a_repeated_singleton_header(
    name: str, path: str, method: str, target: Target
) -> None:
    event = sent(path, method)
    values = [make.FUNDED, make.FUNDED]
    many = {**event["multiValueHeaders"], name: values}
    last = {**event["headers"], name: values[-1]}
    by_case = {**last, name.lower(): values[0], name.upper(): values[1]}
    for headers, groups in ((last, many), (None, many), (by_case, None)):
        answer = target(event | {"headers": headers, "multiValueHeaders": groups})
        assert outcome_of(answer) == "400 invalid_request"
        assert f"'{name}'" in answer.body.decode()


def test_the_path_of_a_route_with_one_changed_character_gets_404(target: Target) -> None:
    for path, method in ROUTES.items():
        for at in range(1, len(path)):
            changed = path[:at] + ("Y" if path[at] == "X" else "X") + path[at + 1 :]
            assert outcome_of(target(sent(changed, method))) == "404 not_found", changed


@settings(max_examples=size(100, full=2_000), deadline=None)
@given(many=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=9), st.lists(SINGLE)))
def test_random_headers_get_a_documented_response(
    many: dict[str, list[str]], target: Target
) -> None:
    last = {name: values[-1] for name, values in many.items() if values}
    for event in (make.upload(), sent(), sent("/")):
        attacked(target, event | {"headers": last, "multiValueHeaders": many})
        attacked(target, event | {"headers": None, "multiValueHeaders": many})


def test_unusual_paths_reach_no_private_file_and_no_route_except_the_page_and_docs(
    target: Target,
) -> None:
    for path in PATHS:
        event = sent(path)
        event["requestContext"]["path"] = path
        outcome = attacked(target, event)
        answer = target(event)
        assert b"root:" not in answer.body
        assert b"AWSTemplateFormatVersion" not in answer.body
        if path.rstrip("/\n"):
            assert outcome in {"404 not_found", "200"}, path
            assert outcome != "200" or path.strip() in {"/docs", "/docs/"}, path
    record(
        Part.BAD_INPUT,
        "paths with dots, slashes, NUL, line ends, percent signs, or one megabyte long",
        f"{len(PATHS)} paths",
        "no path reaches a private file, or a route except the page and `/docs`",
        by=BY,
    )


def test_a_method_that_a_route_does_not_allow_gets_405_with_the_allowed_methods(
    target: Target,
) -> None:
    for (path, right), method in product(ROUTES.items(), METHODS):
        answer = target(sent(path, method))
        allowed = ALLOWED[right]
        assert answer.status != 405 or answer.headers["allow"] == ", ".join(allowed)
        if method == "HEAD":
            assert answer.body == b""
            assert (answer.status == 405) == (right == "POST")
        elif method.upper() not in allowed:
            assert outcome_of(answer) == "405 method_not_allowed", (path, method[:20])
    record(
        Part.BAD_INPUT,
        "wrong methods, known, unknown and malformed",
        f"{len(ROUTES)} routes, {len(METHODS)} methods",
        "405 with `Allow`, or the route's response if the method is allowed",
        by=BY,
    )


@pytest.mark.parametrize("length", [1_000, 1_000_000])
def test_a_long_invalid_key_gets_401(length: int, target: Target) -> None:
    for key in ("x" * length, make.FUNDED + "x" * length, "bb_live_" * length, "\u0661" * length):
        assert attacked(target, sent(ApiKey=key)) == "401 invalid_api_key"


@pytest.mark.parametrize("field", sorted(make.event("GET", "/")))
@pytest.mark.parametrize("path", ["/v2/account", "/v2/rembg/blur", "/v2/uploads", "/", "/health"])
def test_an_event_with_a_missing_or_null_field_gets_a_documented_response(
    field: str, path: str, target: Target
) -> None:
    event = sent(path, ROUTES.get(path, "POST"))
    attacked(target, {**event, field: None})
    event.pop(field)
    attacked(target, event)


@pytest.mark.parametrize("name", NAMES)
def test_a_header_with_the_value_null_gets_a_documented_response(name: str, target: Target) -> None:
    event = make.upload()
    event["headers"][name], event["multiValueHeaders"][name] = None, [None]
    attacked(target, event)


@pytest.mark.parametrize("body", ["\ud800", "\ud800" * 1000, "LS0\ud800", "\u0130", "\0"])
@pytest.mark.parametrize("is_base64", [False, True])
def test_a_body_with_surrogates_nul_or_a_non_ascii_letter_gets_a_documented_response(
    body: str, *, is_base64: bool, target: Target
) -> None:
    for event in (make.blur(), make.upload()):
        attacked(target, {**event, "body": body, "isBase64Encoded": is_base64})
