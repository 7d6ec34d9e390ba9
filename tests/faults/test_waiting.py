"""Requests in the queue: the longest wait, requests of two accounts, and disconnected clients."""

from __future__ import annotations

import io
import json
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from events import make
from PIL import Image
from tests.faults.balances import Balances, open_balances
from tests.faults.conftest import PRICE
from tests.faults.until import WAIT_S, until
from tests.integration.customer_calls import post
from tests.integration.running import ServerProcess, running
from tests.trials import Part, record

from blur.accounts.connect import open_account_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOLD_TTL_S = 60
"""The lifetime of a hold: long enough for a slow photo on a loaded machine."""
BY = "tests/faults/test_waiting.py"
SMALL = make.jpeg()
RESET = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which `close` resets the connection."""


@pytest.fixture(scope="module")
def slow() -> bytes:
    """Return a photo that takes a worker about a second."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(SMALL)).resize((4000, 4000)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def form(photo: bytes) -> requests.PreparedRequest:
    request = requests.Request(
        "POST", "http://localhost", files={"image": photo}, data={"radius": 12}
    )
    return request.prepare()


def send(server: ServerProcess, key: str, photo: bytes, *headers: str) -> socket.socket:
    """Send a complete request and return the connection."""
    prepared, where = form(photo), urlsplit(server.blur_url)
    body = prepared.body
    assert isinstance(body, bytes)
    lines = (
        f"POST {where.path} HTTP/1.1",
        f"Host: {where.netloc}",
        f"ApiKey: {key}",
        f"Content-Type: {prepared.headers['Content-Type']}",
        f"Content-Length: {len(body)}",
        *headers,
    )
    connection = socket.create_connection((where.hostname, where.port), timeout=WAIT_S)
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return connection


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


WAYS_TO_LEAVE = [reset, socket.socket.close]


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    return env | {"BLUR_HOLD_TTL_S": str(HOLD_TTL_S)}


def photos_worked_on(server: ServerProcess) -> int:
    """Return how many photos a worker has processed, according to the log."""
    lines = [json.loads(line) for line in server.out.read_text().splitlines() if line[:1] == "{"]
    return sum("invocation" in line and line.get("path") == "/v2/rembg/blur" for line in lines)


@pytest.mark.timeout(300)
def test_queued_photos_of_disconnected_clients_are_neither_blurred_nor_charged(
    tmp_path: Path, env: dict[str, str], balances: Balances, slow: bytes
) -> None:
    with running(tmp_path, env) as server, ThreadPoolExecutor(1) as pool:
        working = pool.submit(post, server, balances.key, slow)
        until(lambda: balances.exact().held == 1)
        waiting = [send(server, balances.key, SMALL) for _ in range(6)]
        for connection, leave in zip(waiting, WAYS_TO_LEAVE * 3, strict=True):
            leave(connection)
        assert working.result().status_code == 200
        assert post(server, balances.key, SMALL).status_code == 200
        assert photos_worked_on(server) == 2
    assert balances.settled(after_s=HOLD_TTL_S) == 2
    record(
        Part.FAULTS,
        "Clients that close or reset their connection while their photo waits",
        f"{len(waiting)} clients, one worker",
        "none of their photos is blurred or charged",
        by=BY,
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("leave", WAYS_TO_LEAVE)
def test_a_result_for_a_disconnected_client_is_charged_only_with_an_idempotency_key(
    tmp_path: Path, env: dict[str, str], slow: bytes, leave: Callable[[socket.socket], None]
) -> None:
    store = open_account_store(env["BLUR_ACCOUNTS"])
    with running(tmp_path, env) as server:
        for header, charged in ((), 0), (("Idempotency-Key: once",), 1):
            balances = open_balances(store, price=PRICE)
            connection = send(server, balances.key, slow, *header)
            until(lambda: balances.exact().held == 1)  # noqa: B023 - runs in this iteration
            leave(connection)
            until(lambda: balances.exact().held == 0)  # noqa: B023 - runs in this iteration
            assert balances.settled(after_s=HOLD_TTL_S) == charged
    store.close()


@pytest.mark.timeout(300)
def test_a_client_that_has_closed_only_its_sending_side_gets_its_result(
    tmp_path: Path, env: dict[str, str], balances: Balances, slow: bytes
) -> None:
    with running(tmp_path, env) as server, send(server, balances.key, slow) as connection:
        until(lambda: balances.exact().held == 1)
        connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection)
        response.begin()
        assert response.status == 200
        assert Image.open(io.BytesIO(response.read())).size == (4000, 4000)
    assert balances.settled(after_s=HOLD_TTL_S) == 1


@pytest.mark.timeout(300)
def test_a_photo_that_waits_too_long_is_rejected_and_not_charged(
    tmp_path: Path, env: dict[str, str], balances: Balances, slow: bytes
) -> None:
    env = env | {"BLUR_QUEUE_WAIT_S": "1"}
    with running(tmp_path, env) as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(server, balances.key, slow), range(8)))
    done = [response for response in answers if response.status_code == 200]
    late = [response for response in answers if response.status_code != 200]
    assert done
    assert late
    for response in late:
        assert (response.status_code, response.json()["error"]["code"]) == (503, "overloaded")
        assert int(response.headers["Retry-After"]) >= 1
    assert balances.settled(after_s=HOLD_TTL_S) == len(done)


@pytest.mark.timeout(300)
def test_a_second_account_can_send_photos_while_another_account_fills_the_queue(
    tmp_path: Path, env: dict[str, str], balances: Balances, slow: bytes
) -> None:
    store = open_account_store(env["BLUR_ACCOUNTS"])
    newcomer = open_balances(store, price=PRICE)
    with running(tmp_path, env, "--queue", "4") as server, ThreadPoolExecutor(12) as pool:
        crowd = [pool.submit(post, server, balances.key, slow) for _ in range(5)]
        until(lambda: balances.exact().held == 1)
        until(lambda: post(server, balances.key, SMALL).status_code == 503)
        mine = [pool.submit(post, server, newcomer.key, SMALL) for _ in range(2)]
        assert [response.result().status_code for response in mine] == [200, 200]
        statuses = [response.result().status_code for response in crowd]
        assert set(statuses) == {200, 503}
    record(
        Part.FAULTS,
        "One account fills the queue, another account sends photos",
        f"{len(crowd)} photos of the first account and {len(mine)} of the second; a queue for 4",
        "both photos of the second account get 200; the first account's last photos get 503 "
        "and are not charged",
        by=BY,
    )
    assert newcomer.settled(after_s=HOLD_TTL_S) == 2
    assert balances.settled(after_s=HOLD_TTL_S) == statuses.count(200)
    store.close()
