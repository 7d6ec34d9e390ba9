"""Sends raw bytes to a server and parses the responses as HTTP."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tests.integration.running import ServerProcess

TIMEOUT_S = 30


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """Return the documented error; fail if the body has a different structure.

        If the server cannot parse the request, it does not know the path. Then the body has the
        error twice: as `error`, and in remove.bg's format as `errors`.
        """
        document = json.loads(self.body)
        assert set(document) - {"errors"} == {"error"}
        error: dict[str, Any] = document["error"]
        assert {"code", "message", "request_id"} <= set(error)
        assert error["request_id"] == self.headers["x-request-id"]
        return error

    @property
    def code(self) -> str:
        return str(self.error["code"])


@contextmanager
def connected(server: ServerProcess) -> Iterator[socket.socket]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as client:
        yield client


def exchange(server: ServerProcess, sent: bytes, *, half_close: bool = False) -> list[Reply]:
    """Send bytes on a new connection and read the responses until the server closes it."""
    with connected(server) as client:
        client.sendall(sent)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        return replies(everything(client))


def everything(client: socket.socket) -> bytes:
    """Read until the server closes or resets the connection."""
    received = bytearray()
    try:
        while chunk := client.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return bytes(received)


def replies(received: bytes) -> list[Reply]:
    """Parse the responses; fail on invalid HTTP."""
    stream = io.BytesIO(received)
    found = []
    while stream.tell() < len(received):
        response = HTTPResponse(cast("socket.socket", _File(stream)))
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        found.append(Reply(response.status, headers, response.read(response.length)))
    return found


def head(*lines: str, method: str = "POST", target: str = "/v2/rembg/blur/") -> bytes:
    """Return a request's head: its first line, a `Host` header and these lines."""
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: x", *lines, "", "")).encode("latin-1")


class _File:
    """Replaces a socket, because `HTTPResponse` would close a socket after one response."""

    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream

    def makefile(self, mode: str) -> io.BytesIO:
        assert mode == "rb"
        return cast("io.BytesIO", _Unclosed(self._stream))


class _Unclosed:
    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream
        self.read = stream.read
        self.readline = stream.readline

    def close(self) -> None:
        """Do nothing, so that the stream stays open."""

    def flush(self) -> None:
        """Do nothing, because the stream is only for reading."""
