"""What the gateway sends, and in which order it listens and speaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bgblur.serving.asgi import ServerApp
from bgblur.serving.body import BODIES_AT_ONCE, DRAIN_FACTOR, Message, Reader
from bgblur.serving.proxy import ClientDisconnected, ClientState, Reply, Request
from blur.errors import ApiError, OverloadedError

MAX_BYTES = 100
PHOTO = {
    "method": "POST",
    "path": "/v2/rembg/blur/",
    "http_version": "1.1",
    "query_string": b"",
    "headers": [],
    "client": ("127.0.0.1", 1),
}


class Crew:
    """Answers with the size of the body, or fails as it is told to."""

    def __init__(self, failure: Exception | None = None, *, is_full: bool = False) -> None:
        self.failure, self.is_full = failure, is_full
        self.waits_for_disconnect = False

    def require_place(self, account: str = "") -> None:  # noqa: ARG002
        if self.is_full:
            raise OverloadedError(retry_after_s=7)

    async def answer(self, request: Request, *, account: str, client: ClientState) -> Reply:
        assert account == ""
        if self.waits_for_disconnect:
            await asyncio.wait_for(client.gone.wait(), 10)
            raise ClientDisconnected
        if self.failure:
            raise self.failure
        return Reply(200, [], b"%d bytes" % len(request.body))


class Client:
    """Sends a body in chunks and writes down what happens."""

    def __init__(self, *chunks: bytes, is_gone: bool = False) -> None:
        self._messages = self._sending(chunks, is_gone=is_gone)
        self.log: list[str] = []
        self.sent: list[Message] = []

    @staticmethod
    def _sending(chunks: tuple[bytes, ...], *, is_gone: bool) -> Iterator[Message]:
        for chunk in chunks:
            yield {"type": "http.request", "body": chunk, "more_body": True}
        if is_gone:
            yield {"type": "http.disconnect"}
        yield {"type": "http.request", "body": b"", "more_body": False}

    async def receive(self) -> Message:
        self.log.append("listened")
        return next(self._messages)

    async def send(self, message: Message) -> None:
        self.log.append("spoke")
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def content(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.content)["error"]
        return error


class Inline:
    """Answers what is not a photo."""

    async def answer(self, request: Request, *, account: str, client: ClientState) -> Reply:
        del request, account, client
        return Reply(200, [], b"inline")


def visit(client: Client, crew: Crew, scope: Mapping[str, Any] = PHOTO) -> Client:
    app = ServerApp(crew, Inline(), max_body_bytes=MAX_BYTES)
    asyncio.run(app(scope, client.receive, client.send))
    return client


def test_a_photo_goes_to_the_crew_whole() -> None:
    client = visit(Client(b"abc", b"defg"), Crew())
    assert (client.status, client.content) == (200, b"7 bytes")
    assert client.sent[-1].get("more_body", False) is False


@pytest.mark.parametrize(
    "changed", [{"method": "GET"}, {"path": "/health"}, {"path": "/"}, {"method": "OPTIONS"}]
)
def test_other_requests_are_answered_inline_even_if_the_queue_is_full(
    changed: dict[str, str],
) -> None:
    assert visit(Client(), Crew(is_full=True), PHOTO | changed).content == b"inline"


def test_a_body_that_is_too_large_is_kept_to_one_byte_more() -> None:
    assert visit(Client(bytes(90), bytes(90)), Crew()).content == b"101 bytes"


def test_who_finds_no_place_is_told_before_his_body_is_read_and_then_listened_to() -> None:
    client = visit(Client(b"abc", b"def"), Crew(is_full=True))
    assert (client.status, client.error["code"]) == (503, "overloaded")
    assert client.error["retry_after"] == 7
    assert client.log == ["spoke", "spoke", "listened", "listened", "listened", "spoke"]


def test_who_asks_first_and_finds_no_place_is_not_asked_for_his_body() -> None:
    scope = PHOTO | {"headers": [(b"expect", b"100-continue")]}
    assert visit(Client(b"abc"), Crew(is_full=True), scope).log == ["spoke"] * 3


def test_nobody_is_told_anything_when_the_client_is_gone() -> None:
    assert visit(Client(b"abc", is_gone=True), Crew()).sent == []


def test_pool_sees_that_a_waiting_client_disconnects() -> None:
    pool = Crew()
    pool.waits_for_disconnect = True

    class LeavingClient(Client):
        async def receive(self) -> Message:
            if not self.log:
                return await super().receive()
            return {"type": "http.disconnect"}

    assert visit(LeavingClient(), pool).sent == []


def test_a_client_that_sends_for_ever_is_left() -> None:
    assert visit(Client(*[bytes(MAX_BYTES)] * (DRAIN_FACTOR + 3)), Crew()).sent == []


def test_whatever_breaks_is_answered_in_the_contracts_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = visit(Client(), Crew(ZeroDivisionError("a secret")))
    assert (client.status, client.error["code"]) == (500, "internal_error")
    assert b"secret" not in client.content
    assert client.error["request_id"].removeprefix("req_") in caplog.text


def test_bodies_that_are_too_many_together_are_refused_until_one_is_done() -> None:
    reader = Reader(MAX_BYTES)
    largest = bytes(MAX_BYTES)

    async def read(into: bytearray) -> None:
        await reader.read(PHOTO, Client(largest).receive, into)

    async def test() -> None:
        places = [reader.place() for _ in range(BODIES_AT_ONCE)]
        for place in places:
            await read(place.__enter__())
        with reader.place() as late, pytest.raises(OverloadedError):
            await read(late)
        places[0].__exit__(None, None, None)
        with reader.place() as late:
            await read(late)
            assert late == largest

    asyncio.run(test())


def test_a_refusal_is_an_error_of_the_tree() -> None:
    assert issubclass(OverloadedError, ApiError)
    assert not issubclass(ClientDisconnected, ApiError)
