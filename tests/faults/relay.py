"""An HTTP relay on loopback, between a client of AWS's and its server, that can go wrong.

A fault gets the request's way on as a function: it may let the request arrive and spoil the
answer, or never let it arrive. Each connection carries one request.
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
PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says."""

    status: int
    headers: dict[str, str]
    body: bytes


Forward = Callable[[], Answer]
Fault = Callable[["Request", Forward], None]
"""Deals with one request in the server's place."""


class Request(BaseHTTPRequestHandler):
    """One request on its way."""

    server: _Server

    def pass_on(self) -> None:
        """Hand the request to whatever is in force now."""
        relay = self.server.relay
        relay.requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with suppress(ConnectionError):  # who has given up hears nothing
            relay.fault(self, lambda: self._forward(relay.upstream, body))

    do_GET = do_POST = do_PUT = pass_on  # noqa: N815 - the base class's names

    def respond(self, answer: Answer) -> None:
        """Send an answer, as long as it says or else as long as it is."""
        self.send_response(answer.status)
        length = {"Content-Length": str(len(answer.body))}
        for name, value in {**length, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _forward(self, upstream: str, body: bytes) -> Answer:
        there = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=PATIENCE_S)
        there.request(self.command, self.path, body, dict(self.headers))
        answer = there.getresponse()
        kept = {name: v for name, v in answer.getheaders() if name.lower() not in HOP_BY_HOP}
        content = answer.read()
        there.close()
        return Answer(answer.status, kept, content)

    def log_message(self, *_: object) -> None:
        """Keep the test's output to itself."""


class _Server(ThreadingHTTPServer):
    relay: Relay
    block_on_close = False  # a request that is still being slow does not hold up a stop
    daemon_threads = True


def faithful(request: Request, forward: Forward) -> None:
    """Do nothing wrong."""
    request.respond(forward())


class Relay:
    """Listens at `url` and passes on to `upstream`, unless it is stopped or failing."""

    def __init__(self, upstream: str) -> None:
        """Take a free port; `start` begins to listen."""
        self.upstream = upstream
        self.fault: Fault = faithful
        self.requests = 0
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, again at the same port."""
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
        """Let the fault deal with every request while the context lasts."""
        self.fault = fault
        try:
            yield
        finally:
            self.fault = faithful


@contextmanager
def relay(upstream: str) -> Iterator[Relay]:
    """Run a relay for as long as the context lasts."""
    made = Relay(upstream)
    try:
        yield made
    finally:
        made.stop()
