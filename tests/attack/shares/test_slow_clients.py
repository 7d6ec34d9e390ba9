"""Clients that send or read slowly are disconnected, and do not delay the stop of the server."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from tests import trials
from tests.attack.raw_http import everything, head, replies
from tests.attack.shares.shared_server import Served, photo_head, serve

from bgblur.serving import timers
from bgblur.serving.body import RATE_WINDOW_S
from bgblur.serving.exchange import SLICE_BYTES

if TYPE_CHECKING:
    from pathlib import Path

HERE = "tests/attack/shares/test_slow_clients.py"


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


def test_a_client_that_does_not_read_is_disconnected(served: Served) -> None:
    with served.connect(buffer=4096) as client:
        ask_and_never_read(client)
        served.health_s()
        assert wait_for_reset(client, timers.WRITE_S + 20)
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


def wait_for_reset(client: socket.socket, limit_s: float) -> bool:
    """Wait without reading; return whether the server aborts the connection in time."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if state != 1:  # TCP_ESTABLISHED
            return True
        time.sleep(0.2)
    return False


def test_a_stopping_server_does_not_wait_for_a_client_that_does_not_read(
    tmp_path: Path, model_dir: Path
) -> None:
    with (
        serve(tmp_path, model_dir, BLUR_STOP_S="20") as served,
        served.connect(buffer=4096) as client,
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


def test_a_request_that_does_not_end_before_the_stop_gets_500_and_one_log_line(
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


def test_a_client_that_reads_4_kb_per_second_reads_each_slice_in_time() -> None:
    assert SLICE_BYTES / timers.WRITE_S < 4_000
