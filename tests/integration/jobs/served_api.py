"""A server that tests can kill and restart at the same address, and a check of its charges."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.faults.processes import descendants, require_gone
from tests.integration.running import BGBLUR, ServerProcess, running
from tests.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

CREDITS = 1_000
FREQUENT = ("--rate", "60000", "--burst", "10000")


@dataclass
class ServedApi:
    """A server in separate processes that can be killed with SIGKILL and started again."""

    folder: Path
    env: Mapping[str, str]
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    _open: ExitStack = field(default_factory=ExitStack)
    _server: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The URL of the server, which is the same after each start."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def server(self) -> ServerProcess:
        """The running server."""
        assert self._server
        return self._server

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        started = running(self.folder, self.env, "--port", str(self.port), *self.options)
        self._server = self._open.enter_context(started)

    def kill(self) -> None:
        """Kill the front process, and wait until its workers have ended."""
        pid = self.server.process.pid
        members = descendants(pid)
        os.kill(pid, signal.SIGKILL)
        require_gone(members)
        self._open.close()

    def restart(self) -> None:
        """Kill the server and start it again."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Stop the server."""
        self._open.close()

    def operate(self, *arguments: str) -> str:
        """Run a command of the operator, and return its output."""
        command = [*BGBLUR, *arguments]
        ended = subprocess.run(command, env=self.env, capture_output=True, check=True, text=True)
        return ended.stdout

    def issue(self) -> Buyer:
        """Issue a key for a new account."""
        issued = self.operate("keys", "issue", "--credits", str(CREDITS), *FREQUENT, "--json")
        document = json.loads(issued)
        return Buyer(document["account"], document["key"])


@dataclass(frozen=True, slots=True)
class Buyer:
    """An account and its only key."""

    account_id: str
    key: str


@contextmanager
def served(folder: Path, env: Mapping[str, str], *options: str) -> Iterator[ServedApi]:
    """Start an API, and stop it when the context ends."""
    api = ServedApi(folder, env, options)
    api.start()
    try:
        yield api
    finally:
        api.stop()


def require_bill(api: ServedApi, buyer: Buyer, rows: Iterable[Mapping[str, Any]]) -> None:
    """Require that audit, balance and usage agree with the rows of a manifest.

    The key must have been used only for the manifest's job.
    """
    credit = [row["credits"] for row in rows]
    calls, charged = sum(each > 0 for each in credit), sum(credit)
    audit = json.loads(api.operate("accounts", "audit", buyer.account_id, "--json"))
    assert audit == {"accounts": 1, "differences": []}
    account = json.loads(api.operate("accounts", "show", buyer.account_id, "--json"))
    shown = [account[name] for name in ("granted", "balance", "held", "used")]
    assert shown == [CREDITS, CREDITS - charged, 0, charged]
    bill = csv.DictReader(io.StringIO(api.operate("usage", "--csv")))
    (line,) = (each for each in bill if each["account"] == buyer.account_id)
    assert (int(line["calls"]), float(line["credits"])) == (calls, charged)
