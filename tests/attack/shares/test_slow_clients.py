"""Clients that send or read slowly are disconnected, and do not delay the server's shutdown."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from requests_toolbelt import MultipartEncoder
from tests import trials
from tests.attack.attacks import noise
from tests.attack.raw_http import everything, head, replies
from tests.attack.shares.shared_server import Served, photo_head, serve
from tests.faults.until import until

from bgblur.serving import timers
from bgblur.serving.body import RATE_WINDOW_S
from bgblur.serving.exchange import SLICE_BYTES

if TYPE_CHECKING:
    from pathlib import Path

HERE = "tests/attack/shares/test_slow_clients.py"
SMALL_BUFFER_BYTES = 4096
TCP_ESTABLISHED = 1


def test_a_body_at_one_byte_per_second_is_rejected(served: Served) -> None:
    with served.connect() as client:
        client.sendall(photo_head(served.key, "Content-Length: 100000"))
        started = time.monotonic()
        client.settimeout(1)
        received = b""
        while not received and time.monotonic() - started < 6 * RATE_WINDOW_S:
            client.sendall(b"x")
            try:
                received = client.recv(65536)
            except TimeoutError:
                continue
        client.settimeout(60)
        (reply,) = replies(received + everything(client))
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert "slowly" in reply.error["message"]
    assert reply.headers["connection"] == "close"
    trials.record(
        trials.Part.BAD_INPUT,
        "A body sent at one byte per second",
        "1 connection with a valid key",
        f"400 `invalid_request` after {RATE_WINDOW_S} s, and the connection is closed",
        by=HERE,
    )


def test_a_client_that_does_not_read_the_responses_is_disconnected(served: Served) -> None:
    with served.connect(buffer=SMALL_BUFFER_BYTES) as client:
        ask_and_never_read(client)
        served.health_s()
        until(lambda: is_reset(client))
    trials.record(
        trials.Part.BAD_INPUT,
        "Pipelined requests from a client that never reads the responses",
        "1 connection, as many requests as the server accepts",
        f"closed after {timers.WRITE_S} s",
        by=HERE,
    )


def ask_and_never_read(client: socket.socket) -> None:
    """Send requests until the buffers of both sides are full."""
    client.settimeout(3)
    try:
        while True:
            client.sendall(head(method="GET", target="/openapi.json") * 100)
    except (TimeoutError, ConnectionError):
        return


def is_reset(client: socket.socket) -> bool:
    """Return whether the client's TCP connection has ended: its state is not `ESTABLISHED`."""
    state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state != TCP_ESTABLISHED


def test_the_connection_of_a_client_that_does_not_read_its_result_is_reset(served: Served) -> None:
    with served.connect(buffer=SMALL_BUFFER_BYTES) as client:
        send_photo(client, served.key)
        until(lambda: is_reset(client))


def test_if_unread_results_need_too_much_memory_the_oldest_connection_is_reset(
    tmp_path: Path, model_dir: Path
) -> None:
    limits = {"BLUR_MAX_BODY_BYTES": "1000000"}
    with serve(tmp_path, model_dir, **limits) as served, ExitStack() as stack:
        clients = []
        for number in range(1, 5):  # the memory for responses, 16 MB, is enough for two
            client = stack.enter_context(served.connect(buffer=SMALL_BUFFER_BYTES))
            send_photo(client, served.key)
            until(partial(has_results, served, number))
            clients.append(client)
        until(lambda: is_reset(clients[0]))
        assert not is_reset(clients[-1])


def send_photo(client: socket.socket, key: str) -> None:
    """Send a photo of 300 kB, whose result is a PNG of 6 MB."""
    photo = ("a.jpg", noise(2000, 1500), "image/jpeg")
    form = MultipartEncoder({"image": photo, "radius": "1"}, boundary="b")
    client.sendall(photo_head(key, f"Content-Length: {form.len}") + form.read())


def has_results(served: Served, number: int) -> bool:
    """Return whether the server has sent at least this number of results."""
    return [line.get("status") for line in served.log()].count(200) >= number


def test_a_stopping_server_does_not_wait_for_a_client_that_does_not_read(
    tmp_path: Path, model_dir: Path
) -> None:
    with (
        serve(tmp_path, model_dir, BLUR_STOP_S="20") as served,
        served.connect(buffer=SMALL_BUFFER_BYTES) as client,
    ):
        ask_and_never_read(client)
        served.server.process.terminate()
        started = time.monotonic()
        served.server.process.wait(timeout=60)
        took_s = time.monotonic() - started
        assert took_s < 20
    trials.record(
        trials.Part.FAULTS,
        "SIGTERM while a client does not read",
        "1 stop",
        f"stopped after {took_s:.1f} s",
        by=HERE,
    )


def test_a_request_that_is_not_complete_before_the_stop_gets_500_and_one_log_line(
    tmp_path: Path, model_dir: Path
) -> None:
    with serve(tmp_path, model_dir, BLUR_STOP_S="1") as served, served.connect() as client:
        client.sendall(photo_head(served.key, "Content-Length: 100000") + b"x")
        served.health_s()
        served.server.process.terminate()
        (reply,) = replies(everything(client))
        served.server.process.wait(timeout=60)
        lines = [line["status"] for line in served.log()]
    assert reply.status == 500
    assert lines == [500]


def test_a_client_that_reads_4_kb_per_second_is_fast_enough_for_the_write_timeout() -> None:
    assert SLICE_BYTES / timers.WRITE_S < 4_000
