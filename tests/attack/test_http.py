"""Invalid and unusual HTTP, sent to a real server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import requests
from tests import trials
from tests.attack.raw_http import Reply, connected, everything, exchange, head, replies
from tests.integration.running import ServerProcess, environment, running

from bgblur.serving.timers import HEAD_S

if TYPE_CHECKING:
    from pathlib import Path

CLOSE = "Connection: close"
HERE = "tests/attack/test_http.py"

NO_HTTP = {
    "garbage": b"\x00\x01\x02\xff" * 20 + b"\r\n\r\n",
    "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "an invalid version": b"GET /health HTTP/9.9x\r\nHost: x\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a space before the colon": head("ApiKey : x"),
    "a NUL in a header": head("ApiKey: a\x00b"),
    "a bare line feed in a header's name": b"GET /health HTTP/1.1\r\nHost: x\r\nA\nB: c\r\n\r\n",
    "an invalid length": head("Content-Length: ten"),
    "a negative length": head("Content-Length: -1"),
    "two lengths": head("Content-Length: 1", "Content-Length: 2"),
    "an unknown transfer coding": head("Transfer-Encoding: gzip"),
    "a chunk without a size": head("Transfer-Encoding: chunked") + b"zz\r\nabc\r\n0\r\n\r\n",
    "a head of 1 MB": head("ApiKey: " + "k" * 1_000_000),
    "100,000 headers": head(*["A: b"] * 100_000),
    "a target of 1 MB": head(target="/" + "a" * 1_000_000),
    "200 headers": head(*["A: b"] * 200),
    "a length and chunks, as in request smuggling": (
        head("Content-Length: 5", "Transfer-Encoding: chunked", CLOSE) + b"0\r\n\r\n"
    ),
    "an invalid method": b"P\xffST / HTTP/1.1\r\nHost: x\r\n\r\n",
}
"""Invalid requests, by name: the server rejects each with 400 before it looks up a route."""

ODD = {
    "an unknown route": (head(CLOSE, method="GET", target="/nowhere"), 404),
    "a path with a NUL": (head(CLOSE, method="GET", target="/%00"), 404),
    "a path with two dots": (head(CLOSE, method="GET", target="/../../etc/passwd"), 404),
    "a path with two dots and percent-encoded slashes": (
        head(CLOSE, method="GET", target="/..%2f..%2fetc/passwd"),
        404,
    ),
    "a path that is not UTF-8": (head(CLOSE, method="GET", target="/%ff%fe"), 404),
    "a path with two slashes": (head(CLOSE, method="GET", target="//v2/rembg/blur"), 404),
    "an absolute target": (head(CLOSE, method="GET", target="http://x/nowhere"), 404),
    "the target *": (head(CLOSE, method="OPTIONS", target="*"), 404),
    "an unknown method": (head(CLOSE, method="BREW"), 405),
    "a method in lower case": (head(CLOSE, method="post"), 401),
    "TRACE": (head(CLOSE, method="TRACE"), 405),
    "CONNECT": (head(CLOSE, method="CONNECT", target="x:443"), 404),
    "a query of 10 kB": (head(CLOSE, target="/v2/rembg/blur/?" + "a=b&" * 2500), 401),
    "a key in Latin-1": (head(CLOSE, "ApiKey: k\xe9y"), 401),
    "an empty key": (head(CLOSE, "ApiKey:"), 401),
    "two keys": (head(CLOSE, "ApiKey: a", "ApiKey: b"), 400),
    "an unknown value of Expect": (head(CLOSE, "Expect: a miracle", "Content-Length: 0"), 401),
    "an upgrade to WebSocket": (head("Connection: Upgrade, close", "Upgrade: websocket"), 401),
    "an upgrade to HTTP/2": (head("Connection: Upgrade, close", "Upgrade: h2c"), 401),
    "HTTP/1.0": (b"POST /v2/rembg/blur/ HTTP/1.0\r\n\r\n", 401),
}
"""Unusual requests with a valid head, by name, each with the status of its response."""

ANSWERED: list[bytes] = []
"""The requests that got the expected response."""


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_dir: Path
) -> Iterator[ServerProcess]:
    """Run one server for all tests; at the end, record the number of correct responses."""
    folder = tmp_path_factory.mktemp("attacked")
    failed = request.session.testsfailed
    ANSWERED.clear()
    with running(folder, environment(folder, model_dir)) as started:
        yield started
    if ANSWERED and request.session.testsfailed == failed:
        trials.record(
            trials.Part.BAD_INPUT,
            "Invalid and unusual HTTP: garbage, smuggling, half-closed connections, pipelining, "
            "odd paths",
            f"{len(ANSWERED)} requests, each on its own connection",
            "each gets exactly one documented response",
            by=HERE,
        )


@pytest.fixture(autouse=True)
def _health_is_still_200(server: ServerProcess) -> Iterator[None]:
    yield
    assert requests.get(f"{server.url}/health", timeout=5).status_code == 200


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
def test_invalid_http_gets_400_invalid_request_and_connection_close(
    server: ServerProcess, sent: bytes
) -> None:
    (reply,) = exchange(server, sent)
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert reply.headers["connection"] == "close"
    ANSWERED.append(sent)


@pytest.mark.parametrize(("sent", "status"), ODD.values(), ids=ODD)
def test_unusual_http_gets_exactly_one_documented_response(
    server: ServerProcess, sent: bytes, status: int
) -> None:
    (reply,) = exchange(server, sent)
    assert (reply.status, bool(reply.code)) == (status, True)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    ANSWERED.append(sent)


def test_the_http_2_preface_gets_404_and_then_400(server: ServerProcess) -> None:
    route, rest = exchange(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert [(route.status, route.code), (rest.status, rest.code)] == [
        (404, "not_found"),
        (400, "invalid_request"),
    ]


def test_pipelined_requests_get_responses_in_order(server: ServerProcess) -> None:
    first = head(method="GET", target="/health")
    second = head("Content-Length: 3") + b"abc"
    last = head(CLOSE, method="GET", target="/nowhere")
    assert [reply.status for reply in exchange(server, first + second + last)] == [200, 401, 404]


def test_a_half_closed_connection_still_gets_its_response(server: ServerProcess) -> None:
    (reply,) = exchange(server, head("Content-Length: 3") + b"abc", half_close=True)
    assert reply.code == "invalid_api_key"


def test_all_pipelined_requests_of_a_half_closed_connection_get_responses(
    server: ServerProcess,
) -> None:
    sent = head("Content-Length: 3") + b"abc" + head(method="GET", target="/nowhere") * 2
    found = exchange(server, sent + head(method="GET", target="/health"), half_close=True)
    assert [reply.status for reply in found] == [401, 404, 404, 200]


def test_pipelined_requests_before_an_incomplete_request_get_responses(
    server: ServerProcess,
) -> None:
    sent = head(method="GET", target="/nowhere") * 2 + head("Content-Length: 3") + b"a"
    found = exchange(server, sent, half_close=True)
    assert [reply.status for reply in found][:2] == [404, 404]


@pytest.mark.parametrize(
    ("target", "status"),
    [("http://any.host/health", 200), ("HTTPS://any.host:8080?a=/b", 200), ("http://x/no", 404)],
)
def test_a_request_target_can_be_an_absolute_url(
    server: ServerProcess, target: str, status: int
) -> None:
    (reply,) = exchange(server, head(CLOSE, method="GET", target=target))
    assert reply.status == status


def test_an_incomplete_body_without_a_key_gets_401_or_no_response(server: ServerProcess) -> None:
    found = exchange(server, head("Content-Length: 300") + b"abc", half_close=True)
    # The key is checked before the body is read.
    assert [reply.status for reply in found] in ([], [401])


def test_a_request_in_900_tiny_chunks_without_a_key_gets_one_invalid_api_key_response(
    server: ServerProcess,
) -> None:
    chunks = b"1\r\na\r\n" * 900 + b"0\r\n\r\n"
    (reply,) = exchange(server, head("Transfer-Encoding: chunked", CLOSE) + chunks)
    assert reply.code == "invalid_api_key"


def test_a_request_that_expects_100_continue_but_has_no_key_is_rejected_before_its_body(
    server: ServerProcess,
) -> None:
    with connected(server) as client:
        client.sendall(head("Expect: 100-continue", "Content-Length: 300000"))
        (reply,) = replies(everything(client))
    assert (reply.code, reply.headers["connection"]) == ("invalid_api_key", "close")


def test_unfinished_request_heads_get_400_and_do_not_block_other_clients(
    server: ServerProcess,
) -> None:
    count = trials.size(20, full=200)
    started = time.monotonic()
    clients = [opened(server, head("A: b")[:-2]) for _ in range(count)]
    slowest_s = 0.0
    while time.monotonic() - started < HEAD_S - 2:
        asked = time.monotonic()
        assert requests.get(f"{server.url}/health", timeout=5).status_code == 200
        slowest_s = max(slowest_s, time.monotonic() - asked)
        for client in clients:
            client.sendall(b"B: c\r\n")
        time.sleep(1)
    answers = [only_reply(client) for client in clients]
    assert [(reply.status, reply.code) for reply in answers] == [(400, "invalid_request")] * count
    trials.record(
        trials.Part.BAD_INPUT,
        "Slowloris: request heads that never end, one line per second",
        f"{count} connections",
        f"each rejected with 400 and closed after {HEAD_S} s; other requests took "
        f"{slowest_s * 1000:.0f} ms at most",
        by=HERE,
    )


def opened(server: ServerProcess, sent: bytes) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    client = socket.create_connection((host, int(port)), timeout=2 * HEAD_S)
    client.sendall(sent)
    return client


def only_reply(client: socket.socket) -> Reply:
    """Read until the server closes the connection; return the only response."""
    with client:
        (reply,) = replies(everything(client))
    return reply
