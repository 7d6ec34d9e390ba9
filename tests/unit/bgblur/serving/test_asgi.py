"""The order in which the application reads, checks and responds."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from events import make

from bgblur.serving import asgi, body
from bgblur.serving.access_log import LOGGER as ACCESS_LOG
from bgblur.serving.asgi import ServerApp
from bgblur.serving.exchange import SLICE_BYTES
from bgblur.serving.proxy import ClientDisconnected, ClientState, Reply, Request
from blur.accounts import keys
from blur.errors import ApiError, InvalidApiKeyError, OverloadedError, UnavailableError

if TYPE_CHECKING:
    from bgblur.serving.body import Message
    from blur.accounts.keys import ApiKey

MAX_BYTES = 100_000
ROUTES = {
    "/": ("GET",),
    "/v2/rembg/blur": ("POST",),
    "/v2/account": ("GET",),
    "/v2/uploads": ("POST",),
    "/health": ("GET",),
}
KEY = (b"apikey", make.FUNDED.encode())
FORM = (b"content-type", b"multipart/form-data; boundary=b")


@dataclass
class Pool:
    """Responds with the size of the body, or fails with a given error."""

    failure: BaseException | None = None
    is_full: bool = False
    answered: list[tuple[str, int]] = field(default_factory=list)
    reply: Reply | None = None
    waits_for_disconnect: bool = False
    asked_for: list[str] = field(default_factory=list)

    def require_slot(self, account: str = "") -> None:
        self.asked_for.append(account)
        if self.is_full:
            raise OverloadedError(retry_after_s=7)

    async def answer(self, request: Request, *, account: str, client: ClientState) -> Reply:
        if self.waits_for_disconnect:
            await asyncio.wait_for(client.disconnected.wait(), 10)
            raise ClientDisconnected
        if self.failure:
            raise self.failure
        self.answered.append((account, len(request.body)))
        return self.reply or Reply(200, [], b"%d bytes" % len(request.body))


@dataclass
class Keys:
    """A store that knows all keys, or fails with a given error."""

    failure: ApiError | None = None
    forgotten: list[str] = field(default_factory=list)

    async def require(self, key: ApiKey) -> None:
        assert key
        if self.failure:
            raise self.failure

    def forget(self, key: ApiKey) -> None:
        self.forgotten.append(key.digest)

    async def require_store(self) -> None:
        if self.failure:
            raise self.failure


@dataclass
class Connection:
    """A connection that records its calls."""

    address: str = "127.0.0.1"
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    is_refused: bool = False
    events: list[str] = field(default_factory=list)

    def mark_known_key(self) -> None:
        self.events.append("known key")

    def mark_answered(self) -> None:
        pass

    def abort(self) -> None:
        self.events.append("aborted")

    def watch(self) -> None:
        self.is_watched = True

    async def linger(self) -> None:
        self.events.append("lingered")


class Client:
    """Sends a body in chunks and records the events."""

    def __init__(self, *chunks: bytes, is_gone: bool = False) -> None:
        self._messages = self._sending(chunks, is_gone=is_gone)
        self.log: list[str] = []
        self.sent: list[Message] = []
        self.connection = Connection()

    @staticmethod
    def _sending(chunks: tuple[bytes, ...], *, is_gone: bool) -> Iterator[Message]:
        for number, chunk in enumerate(chunks):
            is_last = number == len(chunks) - 1 and not is_gone
            yield {"type": "http.request", "body": chunk, "more_body": not is_last}
        yield {"type": "http.disconnect"}

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
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def content(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.content)["error"]
        return error


@dataclass
class Visit:
    """An application and its fakes."""

    pool: Pool = field(default_factory=Pool)
    inline: Pool = field(default_factory=Pool)
    keys: Keys = field(default_factory=Keys)
    observed: list[tuple[str, int]] = field(default_factory=list)

    def __call__(
        self,
        client: Client,
        *headers: tuple[bytes, bytes],
        method: str = "POST",
        path: str = "/v2/rembg/blur/",
        length: int = 0,
    ) -> Client:
        asyncio.run(self.ask(self.app(), client, *headers, method=method, path=path, length=length))
        return client

    def app(self) -> ServerApp:
        """Return a new application."""
        return ServerApp(
            self.pool,
            self.inline,
            known_keys=self.keys,
            routes=ROUTES,
            max_body_bytes=MAX_BYTES,
            observe=lambda route, reply, _: self.observed.append((route, reply.status)),
        )

    @staticmethod
    async def ask(
        app: ServerApp,
        client: Client,
        *headers: tuple[bytes, bytes],
        method: str = "POST",
        path: str = "/v2/rembg/blur/",
        length: int = 0,
    ) -> None:
        """Send a request to the application."""
        scope = {
            "method": method,
            "path": path,
            "http_version": "1.1",
            "query_string": b"",
            "headers": [*headers, *([(b"content-length", b"%d" % length)] if length else [])],
            "client": ("127.0.0.1", 1),
            "state": {"connection": client.connection},
        }
        await app(scope, client.receive, client.send)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[Mapping[str, Any]]]:
    """Return the lines that the front process logs for its responses."""
    found: list[Mapping[str, Any]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(vars(record))

    handler = Handler()
    ACCESS_LOG.addHandler(handler)
    caplog.set_level(logging.DEBUG, ACCESS_LOG.name)
    yield found
    ACCESS_LOG.removeHandler(handler)


def test_the_whole_photo_goes_to_the_pool() -> None:
    visit = Visit()
    client = visit(Client(b"abc", b"defg"), KEY, FORM, length=7)
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
def test_other_requests_go_to_the_inline_handler_without_their_body(method: str, path: str) -> None:
    visit = Visit(Pool(is_full=True))
    client = visit(Client(bytes(10)), method=method, path=path, length=10)
    assert (client.status, visit.inline.answered) == (200, [("", 0)])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_front_process_answers_health_itself(method: str) -> None:
    broken = Pool(failure=ZeroDivisionError())
    visit = Visit(broken, broken, Keys(UnavailableError("", retry_after_s=1)))
    client = visit(Client(), method=method, path="/health")
    assert (client.status, client.headers[b"content-length"]) == (200, b"16")
    assert client.content == (b'{"status": "ok"}' if method == "GET" else b"")
    assert "listened" not in client.log


def test_account_calls_are_queued_by_account() -> None:
    visit = Visit()
    visit(Client(), KEY, method="GET", path="/v2/account")
    visit(Client(b"{}"), KEY, path="/v2/uploads", length=2)
    account = make.FUNDED.split("_")[2]
    assert visit.inline.answered == [(account, 0), (account, 2)]


def test_one_byte_more_than_the_limit_is_kept_of_a_large_body() -> None:
    chunked = (b"transfer-encoding", b"chunked")
    client = Visit()(Client(bytes(90_000), bytes(90_000), bytes(9)), KEY, FORM, chunked)
    assert client.content == b"100001 bytes"
    assert client.connection.events == ["known key", "lingered", "aborted"]


@pytest.mark.parametrize(
    ("headers", "length"), [((KEY, FORM), MAX_BYTES + 1), ((KEY,), 500), ((KEY,), 90_000)]
)
def test_a_body_that_the_handler_will_reject_is_not_kept(
    headers: tuple[tuple[bytes, bytes], ...], length: int
) -> None:
    assert Visit()(Client(bytes(length)), *headers, length=length).content == b"0 bytes"


@pytest.mark.parametrize(
    ("visit", "headers", "status"),
    [
        (Visit(), (FORM,), 401),
        (Visit(), ((b"apikey", b"bb_live_x"), FORM), 401),
        (Visit(keys=Keys(InvalidApiKeyError())), (KEY, FORM), 401),
        (Visit(keys=Keys(UnavailableError("", retry_after_s=1))), (KEY, FORM), 503),
        (Visit(Pool(is_full=True)), (KEY, FORM), 503),
    ],
)
def test_a_rejected_request_gets_its_response_before_its_body_is_read(
    visit: Visit, headers: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    client = visit(Client(bytes(90_000)), *headers, length=90_000)
    assert client.status == status
    assert client.headers[b"connection"] == b"close"
    assert "listened" not in client.log
    assert client.connection.events[-2:] == ["lingered", "aborted"]


def test_the_small_body_of_a_rejected_request_is_dropped_and_the_connection_kept() -> None:
    client = Visit()(Client(b"abc"), FORM, length=3)
    assert client.status == 401
    assert b"connection" not in client.headers
    assert client.log == ["spoke", "spoke", "listened", "spoke"]


def test_a_client_that_expects_100_continue_is_not_asked_for_a_rejected_body() -> None:
    client = Visit()(Client(b"abc"), FORM, (b"expect", b"100-continue"), length=3)
    assert "listened" not in client.log
    assert client.headers[b"connection"] == b"close"


def test_nothing_is_sent_to_a_disconnected_client() -> None:
    assert Visit()(Client(b"abc", is_gone=True), KEY, FORM, length=10).sent == []


def test_the_pool_notices_that_a_waiting_client_disconnects() -> None:
    client = Client(b"abc")
    client.connection.lost.set()
    assert Visit(Pool(waits_for_disconnect=True))(client, KEY, FORM, length=3).sent == []


def test_a_body_that_arrives_too_slowly_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "RATE_WINDOW_S", 0.05)

    class SlowClient(Client):
        async def receive(self) -> Message:
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b"x", "more_body": True}

    client = SlowClient()
    Visit()(client, KEY, FORM, length=90_000)
    assert (client.status, client.error["code"]) == (400, "invalid_request")


def test_steady_client_is_not_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "RATE_WINDOW_S", 1.0)
    monkeypatch.setattr(body, "_MIN_BYTES", 1)

    class SteadyClient(Client):
        async def receive(self) -> Message:
            await asyncio.sleep(0.05)
            return await super().receive()

    client = Visit()(SteadyClient(*[b"x"] * 30), KEY, FORM, length=30)
    assert client.content == b"30 bytes"


def test_a_response_is_sent_in_slices() -> None:
    content = bytes(range(256)) * 1_000
    client = Visit(Pool(reply=Reply(200, [], content)))(Client(b"a"), KEY, FORM, length=1)
    assert client.content == content
    assert max(len(message.get("body", b"")) for message in client.sent) == SLICE_BYTES


def test_unread_responses_use_limited_memory() -> None:
    picture = bytes(MAX_BYTES)
    visit = Visit(Pool(reply=Reply(200, [], picture)))
    clients = [UnreadingClient(b"abc") for _ in range(asgi.BODIES_AT_ONCE + 5)]

    async def test() -> None:
        app = visit.app()
        tasks = [asyncio.create_task(visit.ask(app, each, KEY, FORM, length=3)) for each in clients]
        for _ in range(100):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(test())
    aborted = ["aborted" in each.connection.events for each in clients]
    assert aborted == [True] * 5 + [False] * asgi.BODIES_AT_ONCE


class UnreadingClient(Client):
    """Reads only the head of the response."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()


def test_one_account_can_send_a_limited_number_of_bodies_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asgi, "BODIES_PER_ACCOUNT", 0)
    assert Visit()(Client(b"abc"), KEY, FORM, length=3).status == 503


def test_a_key_that_a_worker_rejects_is_looked_up_again() -> None:
    visit = Visit(Pool(reply=Reply(401, [], b"")))
    visit(Client(b"abc"), KEY, FORM, length=3)
    assert len(visit.keys.forgotten) == 1


@pytest.mark.parametrize("failure", [ZeroDivisionError("a secret"), OSError("a secret")])
def test_an_unexpected_error_gets_an_error_response_of_the_api(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    client = Visit(Pool(failure))(Client(b"abc"), KEY, FORM, length=3)
    assert (client.status, client.error["code"]) == (500, "internal_error")
    assert b"secret" not in client.content
    assert client.error["request_id"].removeprefix("req_") in caplog.text


def test_a_request_cancelled_at_a_stop_gets_an_error_response() -> None:
    client = Visit(Pool(asyncio.CancelledError()))(Client(b"abc"), KEY, FORM, length=3)
    assert (client.status, client.error["code"]) == (500, "internal_error")


@pytest.mark.parametrize(
    ("visit", "method", "path", "logged"),
    [
        (Visit(), "POST", "/v2/rembg/blur/", ("POST", "/v2/rembg/blur", 401, "invalid_api_key")),
        (
            Visit(inline=Pool(OverloadedError(retry_after_s=1))),
            "X" * 60_000,
            "/my-key",
            ("(unknown)", "(no route)", 503, "overloaded"),
        ),
    ],
)
def test_each_response_of_the_front_process_is_one_log_line(
    lines: list[Mapping[str, Any]],
    visit: Visit,
    method: str,
    path: str,
    logged: tuple[str, str, int, str],
) -> None:
    client = visit(Client(), method=method, path=path)
    (line,) = lines
    assert tuple(line[name] for name in ("method", "path", "status", "code")) == logged
    assert line["request_id"] == client.error["request_id"]


def test_handlers_log_their_own_responses_and_health_is_logged_below_info(
    lines: list[Mapping[str, Any]],
) -> None:
    Visit()(Client(b"abc"), KEY, FORM, length=3)
    assert lines == []
    Visit()(Client(), method="GET", path="/health")
    assert [line["levelname"] for line in lines] == ["DEBUG"]


@pytest.mark.parametrize(
    ("visit", "status", "code"),
    [
        (Visit(), 200, None),
        (Visit(Pool(is_full=True)), 503, "overloaded"),
        (Visit(keys=Keys(UnavailableError("The store."))), 503, "temporarily_unavailable"),
    ],
)
def test_ready_gives_the_reason_if_a_photo_would_be_rejected(
    visit: Visit, status: int, code: str | None
) -> None:
    client = visit(Client(), method="GET", path="/ready")
    assert client.status == status
    assert (json.loads(client.content).get("error") or {}).get("code") == code


def test_health_works_while_pool_and_store_are_down() -> None:
    visit = Visit(Pool(is_full=True), keys=Keys(UnavailableError("The store.")))
    assert visit(Client(), method="GET", path="/health").status == 200


def test_the_queue_slot_of_a_photo_is_reserved_for_its_account() -> None:
    visit = Visit()
    visit(Client(b"abc"), KEY, FORM, length=3)
    assert visit.pool.asked_for == [keys.parse(make.FUNDED).account_id]


def test_each_response_is_observed_with_its_route_and_never_another_path() -> None:
    visit = Visit()
    visit(Client(b"abc"), KEY, FORM, length=3)
    visit(Client(), path="/my-key")
    visit(Client(), method="GET", path="/ready")
    assert visit.observed == [("/v2/rembg/blur", 200), ("(no route)", 200), ("/ready", 200)]
