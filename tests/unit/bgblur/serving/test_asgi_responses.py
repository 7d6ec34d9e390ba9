"""How the application sends, limits and logs responses."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from tests.unit.bgblur.serving.fakes import FORM, KEY, MAX_BYTES, Client, Harness, Keys, Pool

from bgblur.serving import asgi
from bgblur.serving.access_log import LOGGER as ACCESS_LOG
from bgblur.serving.exchange import SLICE_BYTES
from bgblur.serving.proxy_events import Reply
from blur.accounts import keys
from blur.api.response_record import ResponseRecord
from blur.errors import InvalidApiKeyError, OverloadedError, UnavailableError

if TYPE_CHECKING:
    from bgblur.serving.body import Message


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


def test_a_response_is_sent_in_slices() -> None:
    content = bytes(range(256)) * 1_000
    client = Harness(Pool(reply=Reply(200, [], content)))(Client(b"a"), KEY, FORM, length=1)
    assert client.content == content
    assert max(len(message.get("body", b"")) for message in client.sent) == SLICE_BYTES


def test_the_oldest_unread_responses_are_aborted_if_there_are_too_many() -> None:
    picture = bytes(MAX_BYTES)
    harness = Harness(Pool(reply=Reply(200, [], picture)))
    clients = [UnreadingClient(b"abc") for _ in range(asgi.BODIES_AT_ONCE + 5)]

    async def test() -> None:
        app = harness.app()
        tasks = [
            asyncio.create_task(harness.ask(app, each, KEY, FORM, length=3)) for each in clients
        ]
        for _ in range(100):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(test())
    aborted = ["aborted" in each.connection.events for each in clients]
    assert aborted == [True] * 5 + [False] * asgi.BODIES_AT_ONCE


class UnreadingClient(Client):
    """A client that reads only the head of the response."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()


@pytest.mark.parametrize("failure", [ZeroDivisionError("a secret"), OSError("a secret")])
def test_an_unexpected_error_gets_a_500_without_the_message_of_the_error(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    client = Harness(Pool(failure))(Client(b"abc"), KEY, FORM, length=3)
    assert (client.status, client.error["code"]) == (500, "internal_error")
    assert b"secret" not in client.content
    assert client.error["request_id"].removeprefix("req_") in caplog.text


def test_a_request_that_is_cancelled_when_the_server_stops_gets_a_500() -> None:
    client = Harness(Pool(asyncio.CancelledError()))(Client(b"abc"), KEY, FORM, length=3)
    assert (client.status, client.error["code"]) == (500, "internal_error")


@pytest.mark.parametrize(
    ("harness", "method", "path", "logged"),
    [
        (Harness(), "POST", "/v2/rembg/blur/", ("POST", "/v2/rembg/blur", 401, "invalid_api_key")),
        (
            Harness(inline=Pool(OverloadedError(retry_after_s=1))),
            "X" * 60_000,
            "/my-key",
            ("(unknown)", "(no route)", 503, "overloaded"),
        ),
    ],
)
def test_each_response_from_the_front_process_has_one_log_line(
    lines: list[Mapping[str, Any]],
    harness: Harness,
    method: str,
    path: str,
    logged: tuple[str, str, int, str],
) -> None:
    client = harness(Client(), method=method, path=path)
    (line,) = lines
    assert tuple(line[name] for name in ("method", "path", "status", "code")) == logged
    assert line["request_id"] == client.error["request_id"]


def test_the_front_process_logs_health_requests_at_level_debug_and_no_responses_from_handlers(
    lines: list[Mapping[str, Any]],
) -> None:
    Harness()(Client(b"abc"), KEY, FORM, length=3)
    assert lines == []
    Harness()(Client(), method="GET", path="/health")
    assert [line["levelname"] for line in lines] == ["DEBUG"]


@pytest.mark.parametrize(
    ("harness", "status", "code"),
    [
        (Harness(), 200, None),
        (Harness(Pool(is_full=True)), 503, "overloaded"),
        (Harness(keys=Keys(UnavailableError("The store."))), 503, "temporarily_unavailable"),
    ],
)
def test_the_route_ready_returns_the_reason_if_a_photo_would_be_rejected(
    harness: Harness, status: int, code: str | None
) -> None:
    client = harness(Client(), method="GET", path="/ready")
    assert client.status == status
    assert (json.loads(client.content).get("error") or {}).get("code") == code


def test_the_route_health_returns_200_while_the_pool_is_full_and_the_store_is_down() -> None:
    harness = Harness(Pool(is_full=True), keys=Keys(UnavailableError("The store.")))
    assert harness(Client(), method="GET", path="/health").status == 200


def test_each_response_is_recorded_with_its_route_or_with_no_route_for_an_unknown_path() -> None:
    harness = Harness()
    harness(Client(b"abc"), KEY, FORM, length=3)
    harness(Client(), path="/my-key")
    harness(Client(), method="GET", path="/ready")
    assert [(record.path, record.status) for record in harness.observed] == [
        ("/v2/rembg/blur", 200),
        ("(no route)", 200),
        ("/ready", 200),
    ]


@pytest.mark.parametrize("path", ["/v2/rembg/blur/", "/health", "/x"])
def test_an_error_while_a_response_is_counted_is_logged_and_does_not_change_the_response(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = Harness()(Client(b"photo"), KEY, FORM, path=path, length=5)
    harness = Harness(observe_error=ValueError("a counter cannot decrease"))
    client = harness(Client(b"photo"), KEY, FORM, path=path, length=5)
    assert (client.status, len(client.content)) == (expected.status, len(expected.content))
    assert len(harness.observed) == 1
    (error,) = [line for line in caplog.records if line.levelname == "ERROR"]
    assert error.exc_info
    assert error.exc_info[0] is ValueError


def test_the_response_record_of_a_worker_is_passed_to_the_metrics_but_not_logged_again(
    lines: list[Mapping[str, Any]],
) -> None:
    record = ResponseRecord(
        request_id="req_1", method="POST", path="/v2/rembg/blur", status=200, duration_ms=5
    )
    harness = Harness(Pool(reply=Reply(200, [], b"", record)))
    harness(Client(b"abc"), KEY, FORM, length=3)
    assert harness.observed == [record]
    assert lines == []


def test_a_rejection_by_the_front_process_is_logged_with_its_account_and_key(
    lines: list[Mapping[str, Any]],
) -> None:
    Harness(Pool(is_full=True))(Client(b"abc"), KEY, FORM, length=3)
    (line,) = lines
    key = keys.parse(make.FUNDED)
    assert (line["code"], line["account"]) == ("overloaded", key.account_id)
    assert line["key_prefix"] == key.prefix


def test_a_key_that_is_not_in_the_store_is_not_logged(
    lines: list[Mapping[str, Any]],
) -> None:
    harness = Harness(keys=Keys(InvalidApiKeyError()))
    harness(Client(b"abc"), KEY, FORM, length=3)
    (line,) = lines
    assert not {"account", "key_prefix"} & line.keys()
