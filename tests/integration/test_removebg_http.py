"""HTTP errors on remove.bg's paths, for requests that are sent to a real server as raw bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.attack.raw_http import Reply, exchange
from tests.integration.customer_calls import funded
from tests.integration.running import ServerProcess, environment, running

ROUTES = {"/v1.0/removebg": "POST", "/v1.0/account": "GET"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("removebg")


@pytest.fixture(scope="module")
def key(folder: Path, model_dir: Path) -> str:
    return funded(folder, model_dir, 1)


@pytest.fixture(scope="module")
def server(folder: Path, model_dir: Path) -> Iterator[ServerProcess]:
    with running(folder, environment(folder, model_dir)) as started:
        yield started


def head(method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def error_of(reply: Reply) -> dict[str, Any]:
    document = json.loads(reply.body)
    (error,) = document["errors"]
    assert error["title"]
    assert all(type(value) is str for value in error.values())
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-credits-charged"] == "0"
    return {**error, "members": set(document)}


@pytest.mark.parametrize(("path", "method"), ROUTES.items())
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("key", [[], ["X-Api-Key: bb_live_x"], ["X-Api-Key: k\xe9y"]])
def test_missing_or_wrong_key_gets_403_before_the_body_is_sent(
    server: ServerProcess, path: str, method: str, slash: str, key: list[str]
) -> None:
    """The request declares a body in `Content-Length` but does not send it."""
    length = ["Content-Length: 9999999"] if method == "POST" else []
    (reply,) = exchange(server, head(method, path + slash, *key, *length))
    assert reply.status == 403
    expected = {"title": "API Key invalid", "code": "auth_failed", "members": {"errors"}}
    assert error_of(reply) == expected


@pytest.mark.parametrize(("path", "method"), ROUTES.items())
def test_request_with_two_keys_gets_400(server: ServerProcess, path: str, method: str) -> None:
    (reply,) = exchange(server, head(method, path, "X-Api-Key: a", "X-Api-Key: b"))
    assert (reply.status, error_of(reply)["members"]) == (400, {"errors"})


def test_request_with_a_content_length_that_is_too_large_gets_400_before_the_body_is_sent(
    server: ServerProcess, key: str
) -> None:
    headers = [f"X-Api-Key: {key}", "Content-Type: application/json", "Content-Length: 99999999"]
    (reply,) = exchange(server, head("POST", "/v1.0/removebg", *headers))
    assert (reply.status, error_of(reply)["code"]) == (400, "file_too_large")


@pytest.mark.parametrize("path", ROUTES)
def test_delete_on_a_route_of_remove_bg_gets_405(server: ServerProcess, path: str) -> None:
    (reply,) = exchange(server, head("DELETE", path))
    assert (reply.status, error_of(reply)["members"]) == (405, {"errors"})
    assert error_of(reply)["code"] == "method_not_allowed"


def test_invalid_chunk_gets_400_in_the_error_format_of_remove_bg(server: ServerProcess) -> None:
    sent = head("POST", "/v1.0/removebg", "Transfer-Encoding: chunked") + b"zz\r\nabc\r\n0\r\n\r\n"
    (reply,) = exchange(server, sent)
    assert (reply.status, error_of(reply)["members"]) == (400, {"errors"})


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        head("POST", "/v1.0/removebg", *["A: b"] * 200),
        head("POST", "/v1.0/removebg", "Content-Length: ten"),
        head("POST", "/v1.0/removebg", "Content-Length: 5", "Transfer-Encoding: chunked"),
    ],
    ids=["TLS", "200 headers", "invalid length", "Content-Length and chunked"],
)
def test_request_with_an_invalid_head_gets_400_in_both_error_formats(
    server: ServerProcess, sent: bytes
) -> None:
    (reply,) = exchange(server, sent)
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert error_of(reply)["members"] == {"error", "errors"}
    assert error_of(reply)["detail"] == reply.error["message"]
