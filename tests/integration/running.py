"""A real `bgblur serve` process on a free port of this machine."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

START_S = 60
BGBLUR = (sys.executable, "-m", "bgblur")


@dataclass
class Running:
    """The process and where it answers."""

    process: subprocess.Popen[str]
    url: str

    @property
    def blur_url(self) -> str:
        return f"{self.url}/v2/rembg/blur/"


def environment(folder: Path, model_dir: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a server whose accounts are in `folder`."""
    return {
        **os.environ,
        "BLUR_MODEL_DIR": str(model_dir),
        "BLUR_ACCOUNTS": f"sqlite:{folder / 'accounts.db'}",
        **settings,
    }


@contextmanager
def running(folder: Path, env: Mapping[str, str], *options: str) -> Iterator[Running]:
    """Start a server, wait until it says where it listens, and stop it at the end."""
    log = (folder / "server.log").open("a")
    with (
        log,
        subprocess.Popen(
            [*BGBLUR, "serve", "--port", "0", *options],
            cwd=folder,
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield Running(process, _announced_url(process))
        finally:
            process.terminate()
            process.communicate(timeout=START_S)


def _announced_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    deadline = time.monotonic() + START_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(deadline - time.monotonic()):
            line = process.stdout.readline()
            if found := re.search(r"listening on (http://\S+)", line):
                return found[1]
            assert line, f"the server ended with {process.wait()}"
    message = f"the server said nothing for {START_S} s"
    raise TimeoutError(message)
