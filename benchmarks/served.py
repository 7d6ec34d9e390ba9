"""Run a server from this checkout on a free port, with rate limits that no benchmark reaches."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ours import DEFAULT

BGBLUR = (sys.executable, "-m", "bgblur")
UNLIMITED = {"BLUR_RATE_PER_MINUTE": "10000000", "BLUR_RATE_BURST": "1000000"}
START_S = 60


@dataclass(frozen=True)
class Served:
    """The address and the process of a server, and a key for an account with a million credits."""

    url: str
    pid: int
    key: str
    account: str
    folder: Path

    def audit(self) -> dict[str, int]:
        """Return the output of `bgblur accounts show` for the account."""
        return run(self.folder, "accounts", "show", self.account)


@contextmanager
def served(*options: str, model: str = DEFAULT) -> Iterator[Served]:
    """Run `bgblur serve` with these options and this model until the end of the `with` block."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        issued = run(folder, "keys", "issue", "--credits", "1000000")
        command = [*BGBLUR, "serve", "--port", "0", *options]
        env = {**environment(folder), "BLUR_MODEL": model}
        log = folder / "server.log"
        with (
            log.open("wb") as out,
            subprocess.Popen(  # noqa: S603 - runs our own command
                command, cwd=folder, env=env, stdout=out, stderr=out
            ) as process,
        ):
            try:
                url = announced(process, log)
                yield Served(url, process.pid, issued["key"], issued["account"], folder)
            finally:
                process.terminate()


def environment(folder: Path) -> dict[str, str]:
    """Return the environment for processes that use the accounts in `folder`."""
    return {**os.environ, **UNLIMITED, "BLUR_ACCOUNTS": f"sqlite:{folder / 'accounts.db'}"}


def run(folder: Path, *command: str) -> dict[str, Any]:
    """Run a `bgblur` command with `--json`, and return the parsed output."""
    done = subprocess.run(  # noqa: S603 - runs our own command
        [*BGBLUR, *command, "--json"], env=environment(folder), check=True, capture_output=True
    )
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def announced(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server prints its address, and return the address."""
    for _ in range(START_S * 20):
        if found := re.search(r"listening on (http://\S+) ", log.read_text()):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(log.read_text())
