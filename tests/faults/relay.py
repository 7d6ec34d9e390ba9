"""An HTTP relay on loopback that can inject faults between an AWS client and a server.

A fault gets the request and a function that forwards the request to the server. The fault can call
this function and corrupt the response, or not call the function. Each connection has one request.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}
TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Response:
    """The response of a server."""

    status: int
    headers: dict[str, str]
    body: bytes


Forward = Callable[[], Response]
Fault = Callable[["Request", Forward], None]
"""A function that handles one request instead of the upstream server."""


class Request(BaseHTTPRequestHandler):
    """One request that the relay has received."""

    server: _Server

    def pass_on(self) -> None:
        """Count and read the request; then call the current fault, which can forward it."""
        relay = self.server.relay
        relay.requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with suppress(ConnectionError):  # if the client closed the connection
            relay.fault(self, lambda: self._forward(relay.upstream, body))

    do_GET = do_POST = do_PUT = pass_on  # noqa: N815 - the base class calls these names

    def respond(self, response: Response) -> None:
        """Send a response; if its headers have no Content-Length, add the length of the body."""
        self.send_response(response.status)
        length = {"Content-Length": str(len(response.body))}
        for name, value in {**length, **response.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def _forward(self, upstream: str, body: bytes) -> Response:
        connection = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=TIMEOUT_S)
        connection.request(self.command, self.path, body, dict(self.headers))
        response = connection.getresponse()
        kept = {name: v for name, v in response.getheaders() if name.lower() not in HOP_BY_HOP}
        content = response.read()
        connection.close()
        return Response(response.status, kept, content)

    def log_message(self, *_: object) -> None:
        """Do not log."""


class _Server(ThreadingHTTPServer):
    relay: Relay
    block_on_close = False  # a slow request must not delay the shutdown of the server
    daemon_threads = True


def faithful(request: Request, forward: Forward) -> None:
    """Forward the request without a fault."""
    request.respond(forward())


class Relay:
    """Listens at `url` and forwards requests to `upstream`; tests can stop it or set a fault."""

    def __init__(self, upstream: str) -> None:
        """Listen on a free port."""
        self.upstream = upstream
        self.fault: Fault = faithful
        self.requests = 0
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen on a free port; after `stop`, listen on the same port again."""
        self._server = _Server(("127.0.0.1", self._port), Request)
        self._server.relay = self
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse every connection from now on."""
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Refuse every connection while the context lasts."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Apply the fault to every request while the context lasts."""
        self.fault = fault
        try:
            yield
        finally:
            self.fault = faithful


@contextmanager
def relay(upstream: str) -> Iterator[Relay]:
    """Run a relay while the context lasts."""
    created = Relay(upstream)
    try:
        yield created
    finally:
        created.stop()
