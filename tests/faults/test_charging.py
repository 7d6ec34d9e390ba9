"""On a real server: charges after a disconnect, and rate-limit weights of uncharged calls."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest
import requests
from tests.faults.until import SELDOM_S, until
from tests.integration.customer_calls import balance, children, funded, jpeg, post
from tests.integration.running import environment, running
from tests.integration.storage.conftest import issue

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.running import ServerProcess

NOTICED_S = 1.0
"""The time in which the front process must notice that a connection was reset."""


def send(server: ServerProcess, key: str, photo: bytes, **headers: str) -> socket.socket:
    """Send a photo and return the connection before the response arrives."""
    form = {"image": photo, "radius": (None, "12")}
    prepared = requests.Request("POST", server.blur_url, files=form).prepare()
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    content_type = str(prepared.headers["Content-Type"])
    everything = {"ApiKey": key, "Content-Type": content_type, **headers}
    connection.request("POST", "/v2/rembg/blur/", prepared.body, everything)
    assert connection.sock is not None
    return connection.sock


def reset(connection: socket.socket) -> None:
    """Close a connection with RST, like a client that has crashed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize(
    ("headers", "charged"),
    [({}, 0), ({"Idempotency-Key": "order-1"}, 1)],
    ids=["without key", "with key"],
)
def test_a_client_that_disconnects_is_charged_only_with_an_idempotency_key(
    tmp_path: Path, model_dir: Path, headers: dict[str, str], charged: int
) -> None:
    with running(tmp_path, environment(tmp_path, model_dir)) as server:
        key = funded(tmp_path, model_dir, 5)
        (worker,) = children(server)
        connection = send(server, key, jpeg(3000, 3000), **headers)
        until(lambda: balance(server, key) == (4, 1))
        os.kill(worker, signal.SIGSTOP)
        try:
            reset(connection)
            time.sleep(NOTICED_S)
        finally:
            os.kill(worker, signal.SIGCONT)
        until(lambda: balance(server, key)[1] == 0, pause_s=SELDOM_S)
        assert balance(server, key) == (5 - charged, 0)


def test_an_uncharged_call_that_takes_much_cpu_time_counts_as_several_requests(
    tmp_path: Path, model_dir: Path
) -> None:
    small, photo = jpeg(512, 512), jpeg(1500, 1500)
    for cpu_ms, weighs_more in (("60000", False), ("50", True)):
        env = environment(tmp_path, model_dir, BLUR_ORDINARY_CPU_MS=cpu_ms)
        with running(tmp_path, env) as server:
            limit = ("--rate", "1", "--burst", "100")
            paid, free = issue(env, options=limit), issue(env, options=(*limit, "--test"))
            assert remaining(server, paid, photo) == 99
            assert (remaining(server, free, small) < 99) is weighs_more
            assert (remaining(server, free, photo) < 96) is weighs_more


def remaining(server: ServerProcess, key: str, photo: bytes) -> int:
    """Blur a photo, and return how many requests the key can send after the call."""
    answer = post(server, key, photo)
    assert answer.status_code == 200, answer.text
    found = re.search(r"r=(\d+)", answer.headers["RateLimit"])
    assert found
    return int(found[1])
