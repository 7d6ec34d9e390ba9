"""A server with scripted responses, for jobs that no real server would return."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "bb_live_" + "s" * 40
JOB_ID = "job_1"
ROUTE = f"/v2/jobs/{JOB_ID}"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    """Close the connection after this many bytes of the body."""


Handler = Callable[[Request], Reply]


def json_reply(document: object, status: int = 200, **headers: str) -> Reply:
    body = json.dumps(document).encode()
    return Reply(status, body, {"Content-Type": "application/json", **headers})


def error(status: int, code: str) -> Reply:
    return json_reply({"error": {"code": code, "message": "No.", "request_id": "req_1"}}, status)


def lines(*rows: Mapping[str, object], **headers: str) -> Reply:
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    return Reply(200, body, {"Content-Type": "application/jsonl", **headers})


def done(source: str, result: str) -> dict[str, object]:
    """Return the line in the manifest for a photo that has a result."""
    return {
        "source": source,
        "state": "done",
        "result": result,
        "code": None,
        "message": None,
        "credits": 1,
        "milliseconds": 5,
    }


def job(url: str = "", **changes: Any) -> dict[str, object]:  # noqa: ANN401 - any JSON value
    """Return the document of a job: an open job if `url` is given, otherwise a finished job."""
    document = {
        "job_id": JOB_ID,
        "state": "open" if url else "done",
        "parameters": {"radius": "9"},
        "counts": {"received": 1, "done": 1, "failed": 0, "cancelled": 0, "charged": 1},
        "created_at": "2026-11-26T00:00:00Z",
        "closed_at": None,
        "ended_at": None if url else "2026-11-26T00:01:00Z",
        "seconds_left": None,
        "failures": [],
        "next": None,
        **changes,
    }
    if url:
        document["upload"] = {
            "url": url,
            "fields": {"token": "t"},
            "prefix": "jobs/job_1/",
            "max_bytes": 1000,
            "expires_at": "2026-11-26T00:15:00Z",
        }
    return document


@dataclass
class ScriptedApi:
    """The handlers by method and path, and the received requests."""

    url: str
    routes: dict[tuple[str, str], Handler] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    """The addresses of the clients' connections."""

    def on(self, method: str, path: str, *replies: Reply) -> None:
        """Respond with the replies one after the other, and repeat the last reply."""
        left = list(replies)
        self.routes[method, path] = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def requests(self, method: str, path: str) -> list[Request]:
        return [each for each in self.seen if (each.method, each.path) == (method, path)]


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        api = self.server.api
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, headers, body)
        api.seen.append(request)
        api.connections.add(self.client_address)
        handler = api.routes.get((self.command, path))
        reply = handler(request) if handler else error(404, "not_found")
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: reply.cut_at])
        self.close_connection = reply.cut_at is not None

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: ScriptedApi


@contextmanager
def scripted_api() -> Iterator[ScriptedApi]:
    """Listen on a free port of this machine."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        api = server.api = ScriptedApi(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield api
        server.shutdown()
