"""SIGTERM: every accepted request gets a response before the server stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.faults.accepted import REFUSED, post_accepted
from tests.faults.load import Load, load
from tests.faults.processes import descendants, require_gone, workers
from tests.faults.responses import BROKEN, PICTURE
from tests.faults.until import until
from tests.integration.running import BGBLUR, running
from tests.trials import Part, record, size

if TYPE_CHECKING:
    from tests.faults.balances import Balances

STOPS = size(1, full=10)
CLIENTS = size(4, full=8)
STOP_S = 30
PAUSE_S = 2


def client(load: Load) -> None:
    """Send request after request until the server does not accept a request."""
    while not load.stopping.is_set():
        seen = post_accepted(load.url, load.key)
        load.seen.append(("", seen))
        if seen.kind == REFUSED:
            return


@pytest.mark.timeout(900)
def test_a_server_that_is_stopped_under_load_loses_no_accepted_request(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    random, answered, pictures, longest_s = Random(7), 0, 0, 0.0
    for _ in range(STOPS):
        with (
            running(tmp_path, env) as server,
            load(server.blur_url, balances.key, CLIENTS, client) as clients,
        ):
            clients.wait_for(PICTURE, 2)
            time.sleep(0.2 * random.random())
            before, began = len(clients.seen), time.monotonic()
            members = descendants(server.process.pid)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(STOP_S) in {0, -signal.SIGTERM}
            longest_s = max(longest_s, time.monotonic() - began)
        require_gone(members)
        kinds = clients.kinds()
        assert kinds[BROKEN] == 0
        assert kinds[REFUSED] == CLIENTS
        answered += sum(clients.kinds(before).values()) - CLIENTS
        pictures += clients.pictures()
        account = balances.exact()
        assert (account.used, account.held) == (pictures, 0)
    assert answered > 0
    record(
        Part.FAULTS,
        "SIGTERM under load",
        f"{STOPS} stops, {CLIENTS} clients, {answered} requests in progress at that moment",
        f"all {answered} got a response before the server stopped; a stop took {longest_s:.1f} s "
        f"at most; {pictures} calls got results and were charged; no hold was left",
        by="tests/faults/test_stop.py",
    )


@pytest.mark.parametrize("name", ["photo", "account"])
def test_a_server_and_its_workers_end_although_a_worker_hangs_from_the_start(
    name: str, tmp_path: Path, env: dict[str, str]
) -> None:
    command = [*BGBLUR, "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL) as server:
        until(lambda: bool(workers(server.pid, name)))
        members = descendants(server.pid)
        os.kill(workers(server.pid, name)[0], signal.SIGSTOP)
        time.sleep(PAUSE_S)  # so the server waits for the worker
        assert server.poll() is None
        server.send_signal(signal.SIGTERM)
        try:
            assert server.wait(STOP_S) in {0, -signal.SIGTERM}
        finally:
            server.kill()
    require_gone(members)


def test_a_stalled_upload_gets_400_at_shutdown_and_does_not_delay_the_shutdown(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    with running(tmp_path, env) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(b"POST /v2/rembg/blur/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n")
            client.sendall(b"ApiKey: %s\r\n" % balances.key.encode())
            client.sendall(b"Content-Type: multipart/form-data; boundary=b\r\n")
            client.sendall(b"Expect: 100-continue\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 100")  # the server has read the headers
            client.sendall(b"a")
            server.process.send_signal(signal.SIGTERM)
            assert client.recv(100).startswith(b"HTTP/1.1 400")
        server.process.wait(timeout=30)
