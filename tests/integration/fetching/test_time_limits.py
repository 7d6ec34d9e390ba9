"""A fetch ends at its time limit, even if the server is very slow."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.integration.fetching.certificates import tls_for
from tests.integration.fetching.fetchers import HOST, fetcher, png
from tests.integration.fetching.image_host import (
    ImageHost,
    image_host,
    response,
    sends,
)

from blur.fetching.errors import DownloadError


def fetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "fetch"]


def wait_for(is_true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def drips(start: bytes, forever: bytes) -> Callable[[socket.socket, str], None]:
    """Return a function that sends `start`, and then `forever` every tenth of a second."""

    def reply(connection: socket.socket, _path: str) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(forever)
            time.sleep(0.1)

    return reply


@pytest.mark.parametrize(
    ("start", "forever"),
    [
        (b"HTTP/1.1 200 OK\r\nA: ", b"b"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + png(), b"\0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n"),
    ],
    ids=["header", "100 Continue", "file", "chunk size", "trailers"],
)
def test_fetch_from_a_slow_server_ends_at_the_time_limit(start: bytes, forever: bytes) -> None:
    with image_host(drips(start, forever)) as host:
        started_s = time.monotonic()
        with pytest.raises(DownloadError, match=r"not downloaded within 0\.5 seconds"):
            fetcher(host, timeout_s=0.5)(host.url())
        assert time.monotonic() - started_s >= 0.5
        wait_for(lambda: host.open_connections == 0)
    wait_for(lambda: not fetch_threads())


def test_fetch_ends_if_the_server_does_not_answer_the_tls_handshake(
    tmp_path: Path,
) -> None:
    _, client = tls_for(HOST, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = ImageHost(silent.getsockname()[1])
        fetch = fetcher(host, timeout_s=0.5, new_tls_context=lambda: client)
        with pytest.raises(DownloadError):
            fetch(host.url(scheme="https"))
        wait_for(lambda: not fetch_threads())


def test_fetch_with_a_slow_tls_handshake_ends_and_closes_its_connection(tmp_path: Path) -> None:
    _, client = tls_for(HOST, tmp_path)
    is_closed = threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with suppress(OSError), connection:
            connection.sendall(
                b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
            )  # the first bytes of a message of 16 kB
            while True:
                connection.sendall(b"\0")
                time.sleep(0.1)
        is_closed.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, daemon=True).start()
        host = ImageHost(listening.getsockname()[1])
        fetch = fetcher(host, timeout_s=0.5, new_tls_context=lambda: client)
        with pytest.raises(DownloadError):
            fetch(host.url(scheme="https"))
        wait_for(is_closed.is_set)
    wait_for(lambda: not fetch_threads())


def test_fetch_ends_at_the_time_limit_if_the_name_lookup_does_not_end() -> None:
    is_over = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        is_over.wait(60)
        return ["127.0.0.1"]

    with image_host(sends(response(png()))) as host:
        with pytest.raises(DownloadError, match=r"not downloaded within 0\.5 seconds"):
            fetcher(host, timeout_s=0.5, resolve=resolve)(host.url())
        is_over.set()
        wait_for(lambda: not fetch_threads())
