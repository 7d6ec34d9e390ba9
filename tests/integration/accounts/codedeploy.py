"""A fake Lambda and a fake CodeDeploy, for tests of the function that checks a new version."""

from __future__ import annotations

import io
import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar, cast

from bgblur.serving.proxy_events import InvocationContext

if TYPE_CHECKING:
    from botocore.config import Config

    from blur.api.router import Router


class Session:
    """A fake AWS session, which is also the fake client for Lambda and for CodeDeploy."""

    def __init__(self, version: Router) -> None:
        self.version = version
        self.reported: list[dict[str, str]] = []
        self.invoked: list[str] = []

    def create_client(self, service: str, config: Config) -> Session:
        assert service in {"lambda", "codedeploy"}
        assert config
        return self

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto uses these names
        self.invoked.append(FunctionName)
        reply = self.version(json.loads(Payload), InvocationContext())
        return {"Payload": io.BytesIO(json.dumps(reply).encode())}

    def put_lifecycle_event_hook_execution_status(self, **result: str) -> None:
        self.reported.append(result)


def broken_version(error: BaseException) -> Router:
    def fail(*_: object) -> None:
        raise error

    return cast("Router", fail)


class CodeDeploy(BaseHTTPRequestHandler):
    """A fake of CodeDeploy's HTTP API that records the requests."""

    received: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Print nothing."""
