"""A real HTTP server in front of the API that first fails, then passes requests on."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

DROPPED = "dropped"
"""The connection is closed before the API gets the request."""
LOST = "lost"
"""The API responds, and its response is lost."""


@dataclass
class Unreliable:
    """The next faults, and the received requests."""

    upstream: str
    faults: deque[str | int | None] = field(default_factory=deque)
    """`DROPPED`, `LOST`, the status of an error, or None for no fault."""
    seen: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    url: str = ""

    def keys(self) -> list[str]:
        """Return the idempotency key of each request."""
        return [headers["idempotency-key"] for _, headers in self.seen]


class Relay(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_POST(self) -> None:
        way = self.server.way
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        way.seen.append((self.path, headers))
        fault = way.faults.popleft() if way.faults else None
        if isinstance(fault, int):
            self._refuse(fault)
            return
        if fault != DROPPED:
            answer = self._pass_on(body, headers)
            if fault is None:
                self._answer(answer.status_code, answer.headers, answer.content)
                return
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _pass_on(self, body: bytes, headers: Mapping[str, str]) -> requests.Response:
        kept = {name: value for name, value in headers.items() if name != "host"}
        url = self.server.way.upstream + self.path
        return requests.post(url, data=body, headers=kept, allow_redirects=False, timeout=60)

    def _refuse(self, status: int) -> None:
        code = {409: "idempotency_in_progress", 429: "rate_limit_exceeded"}.get(
            status, "temporarily_unavailable"
        )
        told = {"code": code, "message": "Later.", "request_id": "req_0", "retry_after": 3}
        headers = {"Content-Type": "application/json", "Retry-After": "3"}
        self._answer(status, headers, json.dumps({"error": told}).encode())

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "date"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """The server with its faults."""

    way: Unreliable


@contextmanager
def unreliable(upstream: str, *faults: str | int | None) -> Iterator[Unreliable]:
    """Listen on a free port and pass requests on to `upstream` after the faults."""
    with Server(("127.0.0.1", 0), Relay) as server:
        way = server.way = Unreliable(upstream, deque(faults))
        way.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield way
        server.shutdown()
        thread.join()
