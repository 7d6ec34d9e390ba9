"""One-time codes, and the route that exchanges a code for a key."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from tests.clocks import SecondsClock

from bgblur.serving.key_link import MAX_BODY_BYTES, TTL_S, KeyLinkExchange, KeyLinks

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "bb_live_key"


@pytest.fixture
def clock() -> SecondsClock:
    return SecondsClock()


@pytest.fixture
def links(clock: SecondsClock) -> KeyLinks:
    codes = count()
    return KeyLinks(new_code=lambda: f"code-{next(codes)}", monotonic_s=clock)


def test_a_code_is_exchanged_for_its_key_only_once(links: KeyLinks) -> None:
    code = links.issue(KEY)
    assert links.redeem(code) == KEY
    assert links.redeem(code) is None


def test_a_code_is_valid_until_its_time_to_live_has_passed(
    links: KeyLinks, clock: SecondsClock
) -> None:
    early, late = links.issue(KEY), links.issue(KEY)
    clock.now_s += TTL_S - 1
    assert links.redeem(early) == KEY
    clock.now_s += 1
    assert links.redeem(late) is None


def test_no_key_is_returned_for_an_unknown_code(links: KeyLinks) -> None:
    links.issue(KEY)
    assert links.redeem("another") is None


def test_one_time_codes_differ_and_contain_at_least_128_random_bits() -> None:
    links = KeyLinks()
    codes = {links.issue(KEY) for _ in range(100)}
    assert len(codes) == 100
    assert min(map(len, codes)) >= 22, "128 bits need 22 characters of base64"


async def _passed_on(scope: Mapping[str, Any], _receive: object, send: Any) -> None:  # noqa: ANN401 - ASGI has no types
    await send({"passed_on": scope["path"]})


def exchange(
    links: KeyLinks,
    *parts: bytes,
    path: str = "/key-link",
    method: str = "POST",
    kind: str = "http",
) -> list[Any]:
    sent: list[Any] = []
    left = [*parts]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI has no types
        sent.append(message)

    length = str(sum(map(len, parts))).encode()
    headers = [(b"content-length", length)]
    scope = {"type": kind, "method": method, "path": path, "headers": headers}
    asyncio.run(KeyLinkExchange(_passed_on, links)(scope, receive, send))
    return sent


def test_the_route_returns_the_key_and_forbids_caching(links: KeyLinks) -> None:
    body = json.dumps({"code": links.issue(KEY)}).encode()
    start, end = exchange(links, body[:5], body[5:])
    assert start["status"] == 200
    headers = dict(start["headers"])
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-request-id"].startswith(b"req_")
    assert headers[b"content-length"] == str(len(end["body"])).encode()
    assert not any(name.startswith(b"access-control") for name in headers)
    assert json.loads(end["body"]) == {"key": KEY}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b'"text"', b"{}", b'{"code": 1}', b'{"code": ["code-0"]}', b"\xff",
     b'{"code": "code-1"}'],
)  # fmt: skip
def test_a_body_without_the_issued_code_gets_404_and_the_code_stays_valid(
    body: bytes, links: KeyLinks
) -> None:
    code = links.issue(KEY)
    start, end = exchange(links, body)
    assert start["status"] == 404
    error = json.loads(end["body"])["error"]
    assert error["code"] == "not_found"
    assert dict(start["headers"])[b"x-request-id"].decode() == error["request_id"]
    assert links.redeem(code) == KEY


def test_a_body_that_is_too_long_gets_404_even_if_it_has_a_valid_code(links: KeyLinks) -> None:
    parts = [b" " * MAX_BODY_BYTES] * 3
    start, _ = exchange(links, *parts, json.dumps({"code": links.issue(KEY)}).encode())
    assert start["status"] == 404


@pytest.mark.parametrize(
    ("path", "method", "kind"),
    [("/", "POST", "http"), ("/key-link", "GET", "http"), ("/key-link", "POST", "websocket")],
)
def test_requests_other_than_an_http_post_to_key_link_are_passed_on(
    path: str, method: str, kind: str, links: KeyLinks
) -> None:
    assert exchange(links, path=path, method=method, kind=kind) == [{"passed_on": path}]


def test_a_disconnected_client_gets_no_response_and_its_code_stays_valid(links: KeyLinks) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI has no types
        sent.append(message)

    code = links.issue(KEY)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/key-link",
        "headers": [(b"content-length", b"40")],
    }
    asyncio.run(KeyLinkExchange(_passed_on, links)(scope, receive, send))
    assert sent == []
    assert links.redeem(code) == KEY
