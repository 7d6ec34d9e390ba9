"""A real `bgblur serve` process on a free port of this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

START_S = 60
LAST_LINE = re.compile(r"^Demo key: .*^Accounts: .*\n|^New key: .*\n", re.MULTILINE | re.DOTALL)
"""The last line that the server prints when it starts, with or without a demo key."""
BGBLUR = (sys.executable, "-m", "bgblur")


@dataclass
class ServerProcess:
    """The server's process and address."""

    process: subprocess.Popen[bytes]
    url: str
    out: Path
    """The file with the server's output, which exists while the server runs."""

    @property
    def blur_url(self) -> str:
        return f"{self.url}/v2/rembg/blur/"


def environment(folder: Path, model_dir: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a server that stores accounts and uploads in `folder`."""
    return {
        **os.environ,
        "BLUR_MODEL_DIR": str(model_dir),
        "BLUR_ACCOUNTS": f"sqlite:{folder / 'accounts.db'}",
        "BLUR_MEDIA": f"folder:{folder / 'media'}",
        **settings,
    }


@contextmanager
def running(
    folder: Path, env: Mapping[str, str], *options: str, under: Sequence[str] = ()
) -> Iterator[ServerProcess]:
    """Start a server, wait until it prints its address, and stop it at the end.

    `under` is a command that runs the server, for example with fewer privileges. The output
    goes to files, because a full pipe without a reader would block the server.
    """
    with (
        (folder / "server.log").open("a") as log,
        tempfile.NamedTemporaryFile(dir=folder) as out,
        subprocess.Popen(
            [*under, *BGBLUR, "serve", "--port", "0", *options],
            cwd=folder,
            env=dict(env),
            stdout=out,
            stderr=log,
        ) as process,
    ):
        try:
            yield _announced(process, Path(out.name))
        finally:
            process.terminate()
            process.wait(timeout=START_S)


def _announced(process: subprocess.Popen[bytes], out: Path) -> ServerProcess:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        printed = out.read_text()
        address = re.search(r"listening on (http://\S+) ", printed)
        if address and LAST_LINE.search(printed):
            return ServerProcess(process, address[1], out)
        assert process.poll() is None, f"the server exited with {process.poll()}"
        time.sleep(0.05)
    message = f"the server did not start within {START_S} s"
    raise TimeoutError(message)
