"""Large, unfinished and chunked bodies of one client do not block other clients."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests import trials
from tests.attack.raw_http import everything, head
from tests.attack.shares.shared_server import Served, issued, photo_head, unknown_key
from tests.integration.running import environment

from bgblur.serving.asgi import BODIES_AT_ONCE
from bgblur.serving.http_limits import FREE_CHUNKS
from blur.settings import Settings

if TYPE_CHECKING:
    import socket
    from pathlib import Path

HERE = "tests/attack/shares/test_bodies.py"
LARGEST = Settings().max_body_bytes


@pytest.mark.parametrize(
    ("method", "target"), [("POST", "/v2/account"), ("POST", "/health"), ("POST", "/nowhere")]
)
def test_unfinished_bodies_on_routes_without_photos_do_not_block_photos(
    served: Served, method: str, target: str
) -> None:
    with ExitStack() as stack:
        for _ in range(BODIES_AT_ONCE + 1):
            client = stack.enter_context(served.connect())
            client.sendall(head(f"Content-Length: {LARGEST}", method=method, target=target))
            client.sendall(bytes(100_000))
        assert served.blur().status_code == 200


def test_unfinished_bodies_with_no_key_or_an_unknown_key_do_not_block_photos(
    served: Served,
) -> None:
    with ExitStack() as stack:
        for key in ("", unknown_key()):
            for _ in range(BODIES_AT_ONCE + 1):
                client = stack.enter_context(served.connect())
                client.sendall(photo_head(key, f"Content-Length: {LARGEST}"))
                send_unless_closed(client, LARGEST - 1)
        assert served.blur().status_code == 200


def send_unless_closed(client: socket.socket, size: int) -> None:
    try:
        client.sendall(bytes(size))
    except ConnectionError:
        return


def test_unfinished_bodies_of_one_key_do_not_block_calls_with_another_key(
    served: Served, model_dir: Path
) -> None:
    other = issued(environment(served.folder, model_dir))
    with ExitStack() as stack:
        clients = []
        for _ in range(BODIES_AT_ONCE + 1):
            client = stack.enter_context(served.connect("127.0.0.2"))
            client.sendall(photo_head(served.key, f"Content-Length: {LARGEST}"))
            send_unless_closed(client, LARGEST - 1)
            clients.append(client)
        assert served.blur(other).status_code == 200
        refused = [client for client in clients if is_answered(client)]
    assert len(refused) >= BODIES_AT_ONCE // 2
    trials.record(
        trials.Part.LOAD,
        "Unfinished bodies of the largest size from one key",
        f"{BODIES_AT_ONCE + 1} bodies of {LARGEST // 1_000_000} MB",
        f"at least {BODIES_AT_ONCE // 2} of them get 503; a photo sent with another key is blurred",
        by=HERE,
    )


def is_answered(client: socket.socket) -> bool:
    client.settimeout(0.2)
    try:
        return client.recv(100).startswith(b"HTTP/1.1 503")
    except (TimeoutError, ConnectionError):
        return False


def test_bodies_in_chunks_of_one_byte_get_400_and_health_responds_fast(served: Served) -> None:
    stop = threading.Event()
    statuses: list[bytes] = []

    def send_chunks() -> None:
        while not stop.is_set():
            with served.connect() as client:
                client.sendall(photo_head(served.key, "Transfer-Encoding: chunked"))
                send_repeatedly_until_closed(client, b"1\r\na\r\n" * 5_000, stop)
                statuses.append(everything(client)[:12])

    threads = [threading.Thread(target=send_chunks) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        times = sorted(served.health_s() for _ in range(trials.size(20, full=200)))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert times[len(times) // 2] < 1.0
    assert b"HTTP/1.1 400" in statuses
    trials.record(
        trials.Part.BAD_INPUT,
        "Chunks of one byte, as fast as the server reads them",
        f"2 clients, {len(times)} calls of `/health` meanwhile",
        f"400 `invalid_request` after {FREE_CHUNKS:,} such chunks; `/health` took "
        f"{times[len(times) // 2] * 1000:.0f} ms in the median, {times[-1] * 1000:.0f} ms at most",
        by=HERE,
    )


def send_repeatedly_until_closed(client: socket.socket, data: bytes, stop: threading.Event) -> None:
    try:
        for _ in range(100):
            if stop.is_set():
                return
            client.sendall(data)
    except ConnectionError:
        return
