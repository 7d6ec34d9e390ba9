"""When the application reads, drops or rejects the body of a request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from events import make
from tests.unit.bgblur.serving.fakes import FORM, KEY, MAX_BYTES, Client, Harness, Keys, Pool

from bgblur.serving import asgi, body
from bgblur.serving.proxy_events import Reply
from blur.accounts import keys
from blur.errors import InvalidApiKeyError, UnavailableError

if TYPE_CHECKING:
    from bgblur.serving.body import Message


def test_the_whole_body_of_a_blur_request_is_passed_to_the_worker_pool() -> None:
    harness = Harness()
    client = harness(Client(b"abc", b"defg"), KEY, FORM, length=7)
    assert (client.status, client.content) == (200, b"7 bytes")
    assert client.sent[-1].get("more_body", False) is False
    assert client.connection.events == ["known key"]
    assert b"connection" not in client.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/rembg/blur"),
        ("GET", "/"),
        ("OPTIONS", "/v2/account"),
        ("BREW", "/"),
        ("GET", "/x"),
    ],
)
def test_requests_without_a_photo_do_not_go_to_the_photo_workers_and_their_body_is_dropped(
    method: str, path: str
) -> None:
    harness = Harness(Pool(is_full=True))
    client = harness(Client(bytes(10)), method=method, path=path, length=10)
    assert (client.status, harness.inline.answered) == (200, [("", 0)])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_front_process_answers_health_requests_itself(method: str) -> None:
    broken = Pool(failure=ZeroDivisionError())
    harness = Harness(broken, broken, Keys(UnavailableError("", retry_after_s=1)))
    client = harness(Client(), method=method, path="/health")
    assert (client.status, client.headers[b"content-length"]) == (200, b"16")
    assert client.content == (b'{"status": "ok"}' if method == "GET" else b"")
    assert "received" not in client.log


def test_calls_without_a_photo_are_queued_by_account() -> None:
    harness = Harness()
    harness(Client(), KEY, method="GET", path="/v2/account")
    harness(Client(b"{}"), KEY, path="/v2/uploads", length=2)
    account = make.FUNDED.split("_")[2]
    assert harness.inline.answered == [(account, 0), (account, 2)]


def test_a_body_over_the_limit_is_cut_one_byte_after_the_limit() -> None:
    chunked = (b"transfer-encoding", b"chunked")
    client = Harness()(Client(bytes(90_000), bytes(90_000), bytes(9)), KEY, FORM, chunked)
    assert client.content == b"100001 bytes"
    assert client.connection.events == ["known key", "lingered"]


@pytest.mark.parametrize(
    ("headers", "length"), [((KEY, FORM), MAX_BYTES + 1), ((KEY,), 500), ((KEY,), 90_000)]
)
def test_the_front_process_drops_a_body_that_the_handler_would_reject(
    headers: tuple[tuple[bytes, bytes], ...], length: int
) -> None:
    assert Harness()(Client(bytes(length)), *headers, length=length).content == b"0 bytes"


@pytest.mark.parametrize(
    ("harness", "headers", "status"),
    [
        (Harness(), (FORM,), 401),
        (Harness(), ((b"apikey", b"bb_live_x"), FORM), 401),
        (Harness(keys=Keys(InvalidApiKeyError())), (KEY, FORM), 401),
        (Harness(keys=Keys(UnavailableError("", retry_after_s=1))), (KEY, FORM), 503),
        (Harness(Pool(is_full=True)), (KEY, FORM), 503),
    ],
)
def test_a_rejected_request_gets_its_response_before_its_body_is_read(
    harness: Harness, headers: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    client = harness(Client(bytes(90_000)), *headers, length=90_000)
    assert client.status == status
    assert client.headers[b"connection"] == b"close"
    assert "received" not in client.log
    assert client.connection.events[-1] == "lingered"


def test_the_small_body_of_a_rejected_request_is_dropped_and_the_connection_stays_open() -> None:
    client = Harness()(Client(b"abc"), FORM, length=3)
    assert client.status == 401
    assert b"connection" not in client.headers
    assert client.log == ["sent", "sent", "received", "sent"]


def test_a_rejected_body_is_not_read_if_the_client_expects_100_continue() -> None:
    client = Harness()(Client(b"abc"), FORM, (b"expect", b"100-continue"), length=3)
    assert "received" not in client.log
    assert client.headers[b"connection"] == b"close"


def test_nothing_is_sent_to_a_disconnected_client() -> None:
    assert Harness()(Client(b"abc", is_gone=True), KEY, FORM, length=10).sent == []


def test_the_pool_is_informed_when_a_waiting_client_disconnects() -> None:
    client = Client(b"abc")
    client.connection.lost.set()
    assert Harness(Pool(waits_for_disconnect=True))(client, KEY, FORM, length=3).sent == []


def test_a_body_that_arrives_too_slowly_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "RATE_WINDOW_S", 0.05)

    class SlowClient(Client):
        async def receive(self) -> Message:
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b"x", "more_body": True}

    client = SlowClient()
    Harness()(client, KEY, FORM, length=90_000)
    assert (client.status, client.error["code"]) == (400, "invalid_request")


def test_a_body_that_arrives_slowly_but_steadily_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body, "RATE_WINDOW_S", 0.4)
    monkeypatch.setattr(body, "_MIN_BYTES", 1)

    class SteadyClient(Client):
        async def receive(self) -> Message:
            await asyncio.sleep(0.02)
            return await super().receive()

    client = Harness()(SteadyClient(*[b"x"] * 30), KEY, FORM, length=30)
    assert client.content == b"30 bytes"


def test_a_request_gets_503_if_its_account_sends_too_many_bodies_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asgi, "BODIES_PER_ACCOUNT", 0)
    assert Harness()(Client(b"abc"), KEY, FORM, length=3).status == 503


def test_a_key_that_a_worker_rejects_is_removed_from_the_known_keys() -> None:
    harness = Harness(Pool(reply=Reply(401, [], b"")))
    harness(Client(b"abc"), KEY, FORM, length=3)
    assert len(harness.keys.forgotten) == 1


def test_the_pool_is_asked_for_a_slot_for_the_account_that_sends_a_photo() -> None:
    harness = Harness()
    harness(Client(b"abc"), KEY, FORM, length=3)
    assert harness.pool.asked_for == [keys.parse(make.FUNDED).account_id]
