"""Run rembg's own HTTP server, `rembg s`, with u2netp as rembg publishes it.

The server runs in a separate environment, which `make bench-server` prepares.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from subjects import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator

REMBG = Path(__file__).parents[1] / ".venv-peers" / "bin" / "rembg"
MODEL = "u2netp"
START_S = 120
TIMEOUT_S = 300


@dataclass(frozen=True)
class RembgServer:
    """The address and the process of the server."""

    url: str
    pid: int

    def remove(self, photo: bytes, *, only_mask: bool = False) -> bytes:
        """Return the cutout of a photo as a PNG, or only its mask."""
        response = requests.post(
            f"{self.url}/api/remove",
            files={"file": ("photo.jpg", photo, "image/jpeg")},
            data={"model": MODEL, "om": str(only_mask).lower()},
            timeout=TIMEOUT_S,
        )
        response.raise_for_status()
        return response.content


@contextmanager
def rembg_server() -> Iterator[RembgServer]:
    """Run the server on a free port until the end of the `with` block."""
    port = _free_port()
    # `--no-ui` leaves out the server's page, which takes time to load. NUMBA_DISABLE_JIT prevents
    # the compilation of alpha matting, which takes minutes and is not used.
    env = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "1",
        "U2NET_HOME": str(MODELS),
        "BROWSER": "true",
    }
    command = [str(REMBG), "s", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(  # noqa: S603 - runs our own command
            [*command, "--log_level", "warning"], env=env, stdout=log, stderr=log
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process)
            yield RembgServer(url, process.pid)
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            requests.get(f"{url}/openapi.json", timeout=1).raise_for_status()
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    message = f"{REMBG} did not start."
    raise RuntimeError(message)
