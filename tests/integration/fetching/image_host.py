"""A real HTTP or HTTPS server on loopback that sends exactly the bytes that a test sets."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Reply = Callable[[socket.socket, str], None]
"""A function that sends a reply; it gets the connection and the requested path."""


@dataclass
class ImageHost:
    """The server's port, and the requests that have arrived."""

    port: int
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    open_connections: int = 0

    def url(self, path: str = "/", *, host: str = "images.example", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@contextmanager
def image_host(
    reply: Reply, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
) -> Iterator[ImageHost]:
    """Serve connections in threads until the context ends."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listening:
        host = ImageHost(listening.getsockname()[1])
        if tls:
            tls.sni_callback = lambda _socket, name, _context: host.server_names.append(name)
        accepting = threading.Thread(target=_accept, args=(listening, reply, tls, host))
        accepting.start()
        try:
            yield host
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()


def response(
    body: bytes = b"", *, status: str = "200 OK", headers: Sequence[str] = (), length: bool = True
) -> bytes:
    """Return the bytes of a response."""
    lines = [f"HTTP/1.1 {status}", *headers]
    lines += [f"Content-Length: {len(body)}"] if length else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def sends(*parts: bytes) -> Reply:
    """Return a function that sends these bytes as the response."""

    def reply(connection: socket.socket, _path: str) -> None:
        for part in parts:
            connection.sendall(part)

    return reply


def redirects(location: Callable[[str], str], status: str = "302 Found") -> Reply:
    """Return a reply that redirects to a location, which depends on the path."""

    def reply(connection: socket.socket, path: str) -> None:
        connection.sendall(response(status=status, headers=[f"Location: {location(path)}"]))

    return reply


def _accept(
    listening: socket.socket, reply: Reply, tls: ssl.SSLContext | None, host: ImageHost
) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:  # the listening socket is closed
            return
        threading.Thread(target=_serve, args=(connection, reply, tls, host), daemon=True).start()


def _serve(
    connection: socket.socket, reply: Reply, tls: ssl.SSLContext | None, host: ImageHost
) -> None:
    host.open_connections += 1
    try:
        with suppress(OSError), connection:
            stream = tls.wrap_socket(connection, server_side=True) if tls else connection
            with stream:
                head, body = _read_request(stream)
                host.heads.append(head)
                host.bodies.append(body)
                reply(stream, head.split(" ")[1])
    finally:
        host.open_connections -= 1


def _read_request(stream: socket.socket) -> tuple[str, bytes]:
    """Return the head and the body.

    The whole request is read because closing a socket with unread bytes resets the connection.
    """
    received = _read_until(stream, b"", lambda data: b"\r\n\r\n" in data)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    size = int(length[1]) if length else 0
    body = _read_until(stream, body, lambda data: len(data) >= size)
    return f"{head.decode('latin-1')}\r\n\r\n", body


def _read_until(
    stream: socket.socket, received: bytes, is_complete: Callable[[bytes], bool]
) -> bytes:
    while not is_complete(received):
        part = stream.recv(65_536)
        if not part:
            raise ConnectionResetError
        received += part
    return received
