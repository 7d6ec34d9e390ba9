"""remove.bg's routes: the key's header, the bodies, and the errors' format."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from events import make
from tests.unit.bgblur.serving.fakes import (
    FORM,
    KEY,
    MAX_BYTES,
    X_KEY,
    Client,
    Harness,
    Keys,
    Pool,
)

from bgblur.serving import asgi
from bgblur.serving.proxy_events import Reply
from blur.accounts import keys
from blur.errors import InvalidApiKeyError, OverloadedError, ResponseLostError, UnavailableError

PATHS = ("/v1.0/removebg", "/v1.0/removebg/")
ACCOUNT = keys.parse(make.FUNDED).account_id


def errors_of(client: Client) -> dict[str, Any]:
    """Check that the response is one error in remove.bg's format, and return the error."""
    document = json.loads(client.content)
    assert set(document) == {"errors"}
    (error,) = document["errors"]
    assert all(type(value) is str for value in error.values())
    return dict(error)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "content_type",
    [b"multipart/form-data; boundary=b", b"application/x-www-form-urlencoded", b"application/json"],
)
def test_a_request_of_each_media_type_is_queued_for_the_account_of_its_key(
    path: str, content_type: bytes
) -> None:
    harness = Harness()
    headers = (X_KEY, (b"content-type", content_type))
    client = harness(Client(b"abc", b"defg"), *headers, path=path, length=7)
    assert (client.status, client.content) == (200, b"7 bytes")
    assert client.connection.events == ["known key"]
    assert harness.pool.answered == [(ACCOUNT, 7)]
    assert harness.pool.asked_for == [ACCOUNT]


def test_a_request_to_the_account_route_is_handled_inline_with_the_account_of_its_key() -> None:
    harness = Harness()
    harness(Client(), X_KEY, method="GET", path="/v1.0/account")
    assert harness.inline.answered == [(ACCOUNT, 0)]


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1.0/removebg"), ("GET", "/v1.0/account")])
def test_a_request_with_two_keys_does_not_go_to_the_photo_workers(method: str, path: str) -> None:
    harness = Harness()
    harness(Client(b"abc"), X_KEY, X_KEY, FORM, method=method, path=path, length=3)
    assert harness.inline.answered == [("", 0)]


@pytest.mark.parametrize("path", [*PATHS, "/v1.0/account"])
def test_remove_bgs_routes_do_not_read_the_key_from_our_header(path: str) -> None:
    method = "GET" if path.endswith("account") else "POST"
    client = Harness()(Client(bytes(90_000)), KEY, FORM, method=method, path=path, length=90_000)
    assert client.status == 403
    assert errors_of(client) == {"title": "API Key invalid", "code": "auth_failed"}
    assert "received" not in client.log


def test_our_routes_do_not_read_the_key_from_remove_bgs_header() -> None:
    client = Harness()(Client(bytes(90_000)), X_KEY, FORM, length=90_000)
    assert (client.status, client.error["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("harness", "headers", "status", "title"),
    [
        (Harness(), (FORM,), 403, "API Key invalid"),
        (Harness(), ((b"x-api-key", b"bb_live_x"), FORM), 403, "API Key invalid"),
        (Harness(keys=Keys(InvalidApiKeyError())), (X_KEY, FORM), 403, "API Key invalid"),
        (
            Harness(keys=Keys(UnavailableError("", retry_after_s=1))),
            (X_KEY, FORM),
            503,
            "Temporarily unavailable",
        ),
        (Harness(Pool(is_full=True)), (X_KEY, FORM), 503, "Overloaded"),
    ],
)
def test_a_rejected_request_gets_its_response_before_its_body_is_read(
    harness: Harness, headers: tuple[tuple[bytes, bytes], ...], status: int, title: str
) -> None:
    client = harness(Client(bytes(90_000)), *headers, path=PATHS[0], length=90_000)
    assert (client.status, errors_of(client)["title"]) == (status, title)
    assert client.headers[b"connection"] == b"close"
    assert "received" not in client.log
    assert client.headers.get(b"retry-after", b"1").isdigit()


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ZeroDivisionError("a secret"), 500),
        (asyncio.CancelledError(), 500),
        (ResponseLostError(), 500),
        (OverloadedError(retry_after_s=7), 503),
    ],
)
@pytest.mark.parametrize("path", [*PATHS, "/v1.0/account"])
def test_each_error_from_the_server_is_in_remove_bgs_format(
    failure: BaseException, status: int, path: str
) -> None:
    method = "GET" if path.endswith("account") else "POST"
    harness = Harness(Pool(failure), Pool(failure))
    client = harness(Client(b"abc"), X_KEY, FORM, method=method, path=path, length=3)
    assert client.status == status
    assert errors_of(client)["title"]
    assert b"secret" not in client.content


def test_the_pool_gets_an_empty_body_if_the_body_is_too_large() -> None:
    length = MAX_BYTES + 1
    client = Harness()(Client(bytes(length)), X_KEY, FORM, path=PATHS[0], length=length)
    assert client.content == b"0 bytes"


def test_the_body_of_a_removal_request_can_be_30_times_as_large_as_the_usual_limit() -> None:
    length = 30 * MAX_BYTES
    harness = Harness(removebg_max_bytes=length)
    client = harness(Client(*[bytes(MAX_BYTES)] * 30), X_KEY, FORM, path=PATHS[0], length=length)
    assert client.content == b"%d bytes" % length


def test_a_request_gets_503_if_its_account_sends_too_many_bodies_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asgi, "BODIES_PER_ACCOUNT", 0)
    client = Harness()(Client(b"abc"), X_KEY, FORM, path=PATHS[0], length=3)
    assert (client.status, errors_of(client)["code"]) == (503, "overloaded")


def test_a_key_that_a_worker_rejects_with_403_is_removed_from_the_known_keys() -> None:
    harness = Harness(Pool(reply=Reply(403, [], b"")))
    harness(Client(b"abc"), X_KEY, FORM, path=PATHS[0], length=3)
    assert harness.keys.forgotten == [keys.parse(make.FUNDED).digest]


def test_a_result_of_10_megabytes_is_sent_in_the_response() -> None:
    picture = bytes(range(256)) * 40_000  # 10 MB
    harness = Harness(Pool(reply=Reply(200, [(b"content-type", b"image/png")], picture)))
    client = harness(Client(b"abc"), X_KEY, FORM, path=PATHS[0], length=3)
    assert (client.status, client.content) == (200, picture)
    assert b"location" not in client.headers


@pytest.mark.parametrize("path", [*PATHS, "/v1.0/account"])
def test_the_recorded_route_of_a_request_without_a_key_has_no_slash_at_its_end(
    path: str,
) -> None:
    method = "GET" if path.endswith("account") else "POST"
    harness = Harness()
    harness(Client(), method=method, path=path)
    (record,) = harness.observed
    assert (record.path, record.status) == (path.rstrip("/"), 403)
    assert record.code == "invalid_api_key"
