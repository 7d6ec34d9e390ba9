"""A real HTTP server in front of the API: the first requests fail, later requests are forwarded."""

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
"""The API gets the request, but the response is lost."""


@dataclass
class Unreliable:
    """The faults for the next requests, and the requests that the server has received."""

    upstream: str
    faults: deque[str | int | None] = field(default_factory=deque)
    """`DROPPED`, `LOST`, the status of an error, or None for no fault."""
    seen: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    url: str = ""

    def keys(self) -> list[str]:
        """Return the idempotency key of each request."""
        return [headers["idempotency-key"] for _, headers in self.seen]


class Relay(BaseHTTPRequestHandler):
    """Handles one request."""

    server: Server

    def do_POST(self) -> None:
        relay = self.server.relay
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        relay.seen.append((self.path, headers))
        fault = relay.faults.popleft() if relay.faults else None
        if isinstance(fault, int):
            self._send_error(fault)
            return
        if fault != DROPPED:
            response = self._pass_on(body, headers)
            if fault is None:
                self._respond(response.status_code, response.headers, response.content)
                return
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _pass_on(self, body: bytes, headers: Mapping[str, str]) -> requests.Response:
        forwarded = {name: value for name, value in headers.items() if name != "host"}
        url = self.server.relay.upstream + self.path
        return requests.post(url, data=body, headers=forwarded, allow_redirects=False, timeout=60)

    def _send_error(self, status: int) -> None:
        code = {
            409: "idempotency_in_progress",
            429: "rate_limit_exceeded",
            500: "internal_error",
        }.get(status, "temporarily_unavailable")
        error = {"code": code, "message": "Later.", "request_id": "req_0", "retry_after": 3}
        headers = {"Content-Type": "application/json", "Retry-After": "3"}
        self._respond(status, headers, json.dumps({"error": error}).encode())

    def _respond(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
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
    """An HTTP server whose first responses have faults, in the order of a list."""

    relay: Unreliable


@contextmanager
def unreliable(upstream: str, *faults: str | int | None) -> Iterator[Unreliable]:
    """Listen on a free port; apply the faults, then forward requests to `upstream`."""
    with Server(("127.0.0.1", 0), Relay) as server:
        relay = server.relay = Unreliable(upstream, deque(faults))
        relay.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield relay
        server.shutdown()
        thread.join()
