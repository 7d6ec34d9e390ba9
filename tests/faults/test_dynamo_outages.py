"""DynamoDB unreachable, faulty or throttling: simulated on real sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.integration.accounts.customer import (
    START,
    Customer,
    after,
    entry,
    key_record,
    open_account,
    record_of,
    take_hold,
)
from tests.integration.accounts.dynamodb_local import DynamoDBLocal

from blur.account_status import RateLimit
from blur.accounts.connect import open_account_store
from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.dynamo.client import open_client
from blur.accounts.dynamo.items import key_item, new_account
from blur.accounts.dynamo.values import marshal_item
from blur.accounts.model import Hold
from blur.credits import Credits
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blur.accounts.ports import AccountStore

BOUND_S = 2.0
MOST_DELIVERIES = 6
LIMIT = RateLimit(per_minute=60, burst=10)
CUSTOMER = Customer("000000000000", "0" * 64)
HOLD = Hold("hold", CUSTOMER.account_id, CUSTOMER.digest, Credits(1), after(60))
CALLS: dict[str, Callable[[AccountStore], object]] = {
    "reserve": lambda store: store.reserve(CUSTOMER.hold(), now_us=START),
    "append_entry": lambda store: store.append_entry(entry(CUSTOMER.account_id, 1)),
    "find_record": lambda store: store.find_record(CUSTOMER.account_id, "scope", now_us=START),
    "accounts": lambda store: list(store.list_accounts(now_us=START)),
    "require_available": lambda store: store.require_available(),
    "claim_record": lambda store: store.claim_record(record_of(HOLD), now_us=START),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def error(status: int, code: str, **more: object) -> tuple[int, bytes]:
    response = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **more}
    return status, json.dumps(response).encode()


class Impostor:
    """An HTTP server that gives every request the same response and counts the requests."""

    def __init__(self, status: int, body: bytes, *, delay_s: float = 0) -> None:
        self.deliveries = 0
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                impostor.deliveries += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(delay_s)
                respond(self, status, body, {"x-amzn-RequestId": "1"} if status >= 400 else {})

            def log_message(self, *_: object) -> None:
                """Do not log."""

        self.handler = Handler


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def respond(
    request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]
) -> None:
    request.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


@contextlib.contextmanager
def store_at(endpoint_url: str, table_name: str = "accounts") -> Iterator[DynamoAccountStore]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in DynamoDBLocal(endpoint_url).environ.items():
            patch.setenv(name, value)
        store = DynamoAccountStore(table_name, open_client())
    yield store
    store.close()


def expect_unavailable(store: AccountStore, call: Callable[[AccountStore], object]) -> None:
    started = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        call(store)
    assert time.monotonic() - started < BOUND_S
    assert caught.value.retry_after_s == 1


@every_call
def test_a_refused_connection_is_reported_as_unavailable_within_the_time_limit(
    call: Callable[[AccountStore], object], refused_url: str
) -> None:
    with store_at(refused_url) as store:
        expect_unavailable(store, call)


@every_call
def test_a_server_that_never_responds_is_reported_as_unavailable_within_the_time_limit(
    call: Callable[[AccountStore], object],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with store_at(f"http://127.0.0.1:{port}") as store:
            expect_unavailable(store, call)


@every_call
def test_an_empty_response_is_reported_as_unavailable(
    call: Callable[[AccountStore], object],
) -> None:
    impostor = Impostor(HTTPStatus.OK, b"{}")
    with serving(impostor.handler) as url, store_at(url) as store:
        expect_unavailable(store, call)
    assert impostor.deliveries <= MOST_DELIVERIES


@pytest.mark.parametrize("name", ["reserve", "claim_record"])
@pytest.mark.parametrize(
    "body", [b"", b"<html>Welcome</html>", b"[]", b'"x"', b"\xff\xfe", b'{"Attributes": {"bal']
)
def test_a_response_that_is_not_from_dynamodb_is_reported_as_unavailable(
    body: bytes, name: str
) -> None:
    impostor = Impostor(HTTPStatus.OK, body)
    with serving(impostor.handler) as url, store_at(url) as store:
        expect_unavailable(store, CALLS[name])
    assert impostor.deliveries <= MOST_DELIVERIES


@pytest.mark.parametrize(
    ("status", "body"),
    [
        error(400, "ThrottlingException"),
        error(400, "ProvisionedThroughputExceededException"),
        error(500, "InternalServerError"),
        (503, b"<html>Busy</html>"),
    ],
)
def test_a_transient_error_is_retried_a_few_times_and_then_reported_as_unavailable(
    status: int, body: bytes
) -> None:
    impostor = Impostor(status, body)
    with serving(impostor.handler) as url, store_at(url) as store:
        expect_unavailable(store, CALLS["reserve"])
    assert 2 <= impostor.deliveries <= MOST_DELIVERIES


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_permanent_error_is_reported_as_unavailable_without_a_retry(code: str) -> None:
    impostor = Impostor(*error(400, code))
    with serving(impostor.handler) as url, store_at(url) as store:
        expect_unavailable(store, CALLS["reserve"])
    assert impostor.deliveries == 1


def test_a_call_of_many_slow_dynamodb_requests_raises_unavailable_within_the_time_limit() -> None:
    key = key_record(CUSTOMER.account_id, limit=LIMIT)
    used = {**key_item(key), "t": after(1), "a": START}
    item = {**new_account(CUSTOMER.account_id, "Busy", START), "keys": {CUSTOMER.digest: used}}
    refusal = error(400, "ConditionalCheckFailedException", Item=marshal_item(item))
    impostor = Impostor(*refusal, delay_s=0.4)
    with serving(impostor.handler) as url, store_at(url) as store:
        expect_unavailable(
            store, lambda it: it.authorize(CUSTOMER.account_id, CUSTOMER.digest, now_us=START)
        )
    assert impostor.deliveries >= 2


def losing_first_responses(endpoint_url: str) -> type[BaseHTTPRequestHandler]:
    """Return a handler that forwards each request, but responds only to a repeated request."""
    seen: set[bytes] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc)
            connection.request("POST", "/", body, dict(self.headers))
            response = connection.getresponse()
            content = response.read()
            connection.close()
            if body in seen:
                named = ("Content-Type", "x-amzn-RequestId")
                headers = {name: str(response.headers[name]) for name in named}
                respond(self, response.status, content, headers)
            seen.add(body)

        def log_message(self, *_: object) -> None:
            """Do not log."""

    return Handler


def test_writes_whose_responses_are_lost_are_applied_once(
    dynamodb: DynamoDBLocal, dynamodb_table: str
) -> None:
    handler = losing_first_responses(dynamodb.endpoint_url)
    with serving(handler) as url, store_at(url, dynamodb_table) as store:
        customer = open_account(store, 10)
        settled = customer.hold(3)
        assert store.reserve(settled, now_us=START).credits_left == 7
        refunded = take_hold(store, customer, 2, now_us=after(1))
        assert store.refund(refunded, now_us=after(2)).credits_left == 7
        assert store.settle(settled, now_us=after(2)).credits_charged == 3
    through: Any = open_account_store(f"dynamodb:{dynamodb_table}")
    account = through.read_account(customer.account_id, now_us=after(3))
    through.close()
    assert (account.granted, account.used, account.balance, account.held) == (10, 3, 7, 0)
    assert account.usage["2027-01"].calls == 1
