"""A tiny model, a file with its sources and hashes, and a server that publishes the model."""

from __future__ import annotations

import hashlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

from fetch import main

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = bytes(range(256)) * 1000
OTHER = WEIGHTS[:-1] + b"\x00"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Publisher(HTTPServer):
    """Serves `content` at any path, and can send fewer bytes than its Content-Length states."""

    content = WEIGHTS
    announced: int | None = None
    requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/tiny.onnx"


class Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(200)
        length = self.server.announced or len(self.server.content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        """Print no line for a request."""


def pins(
    tmp_path: Path,
    *,
    release: str = "http://127.0.0.1:9/none",
    wheel: str = "",
    md5_of: bytes = WEIGHTS,
) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(
        f'[tiny]\nlicence = "MIT"\nfile = "tiny.onnx"\nbytes = {len(WEIGHTS)}\n'
        f'sha256 = "{sha256(WEIGHTS)}"\nmd5 = "{md5(md5_of)}"\nlight = "tiny-light"\n'
        f'release = "{release}"\n{wheel}',
        "utf-8",
    )
    return path


def fetch(into: Path, path: Path, *more: str, model: str = "tiny") -> int:
    return main(["--model", model, "--into", str(into), "--pins", str(path), *more])
