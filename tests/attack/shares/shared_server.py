"""A server, a customer's key, and connections from any address 127.0.0.x."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from events import make
from tests.attack.raw_http import head
from tests.integration.running import BGBLUR, ServerProcess, environment, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLOSE = "Connection: close"


@dataclass(frozen=True)
class Served:
    """The server and a customer's key."""

    server: ServerProcess
    folder: Path
    key: str

    @property
    def at(self) -> tuple[str, int]:
        host, _, port = self.server.url.removeprefix("http://").partition(":")
        return host, int(port)

    def connect(self, address: str = "127.0.0.1", buffer: int | None = None) -> socket.socket:
        client = socket.socket()
        client.settimeout(60)
        if buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.bind((address, 0))
        client.connect(self.at)
        return client

    def blur(self, key: str = "") -> requests.Response:
        return requests.post(
            self.server.blur_url,
            headers={"ApiKey": key or self.key},
            files={"image": make.jpeg(96)},
            data={"radius": 4},
            timeout=60,
        )

    def health_s(self) -> float:
        started = time.monotonic()
        assert requests.get(f"{self.server.url}/health", timeout=30).status_code == 200
        return time.monotonic() - started

    def log(self) -> list[dict[str, object]]:
        lines = self.server.out.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def serve(folder: Path, model_dir: Path, **settings: str) -> Iterator[Served]:
    env = environment(folder, model_dir, BLUR_MEDIA=f"folder:{folder / 'media'}", **settings)
    with running(folder, env) as server:
        yield Served(server, folder, issued(env))


def issued(env: dict[str, str], *options: str) -> str:
    command = [*BGBLUR, "keys", "issue", "--credits", "1000", "--json", *options]
    done = subprocess.run(command, env=env, capture_output=True, check=True)
    key: str = json.loads(done.stdout)["key"]
    return key


def photo_head(key: str, *lines: str) -> bytes:
    return head(f"ApiKey: {key}", "Content-Type: multipart/form-data; boundary=b", *lines)


def unknown_key() -> str:
    """Return a key that has a valid checksum, but is not in the store."""
    return make.UNKNOWN
