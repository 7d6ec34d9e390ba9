"""Faults inside the server's own processes. Python imports this file when a process starts.

The variable INJECTED_FAULTS names a folder, in which a test writes these files while the server
runs:

- `spawn`: a list of exceptions, each on its own line. Each start of a process by the server raises
  the next exception of the list.
- `send`, `receive`: a list as for `spawn`. In the front process, each message that is sent to a
  worker, or received from a worker, raises the next exception of the list.
- `accept`, `reply`: a name in `WORKER_FAULTS`. The worker injects this fault instead of sending the
  message that it has accepted a request, or its reply.

INJECTED_ABSENCE=1 removes functions that some systems do not have.
"""

from __future__ import annotations

import builtins
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import current_process, popen_fork
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("INJECTED_FAULTS", "/nonexistent"))
SIGKILL = 9


def next_fault(name: str) -> str | None:
    """Remove the first line of a file and return the line."""
    path = FOLDER / name
    with suppress(FileNotFoundError):
        first, _, others = path.read_text().partition("\n")
        path.write_text(others)
        return first or None
    return None


def raise_next(name: str) -> None:
    if fault := next_fault(name):
        kind, *arguments = fault.split()
        raise getattr(builtins, kind)(*[int(argument) for argument in arguments], "injected")


def refuse_to_pickle(_: Connection) -> None:
    message = "this reply cannot be pickled"
    raise ValueError(message)


WORKER_FAULTS: dict[str, Callable[[Connection], Any]] = {
    "hang": lambda _: time.sleep(10**6),
    "stop": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "exit": lambda _: os._exit(0),
    "close": lambda messages: messages.close(),
    "garbage": lambda messages: messages.send_bytes(b"garbage"),
    "unpicklable": refuse_to_pickle,
}


def fault_at(message: object) -> str:
    if isinstance(message, tuple):
        return "reply"
    return "accept" if message == "accepted" else "none"


def inject() -> None:
    start, send, receive = SpawnProcess.start, Connection.send, Connection.recv

    def faulty_start(self: SpawnProcess) -> None:
        raise_next("spawn")
        start(self)

    def faulty_send(self: Connection, message: object) -> None:
        if current_process().name == "MainProcess":
            raise_next("send")
        elif fault := next_fault(fault_at(message)):
            WORKER_FAULTS[fault](self)
            return
        send(self, message)

    def faulty_receive(self: Connection) -> object:
        message = receive(self)
        if current_process().name == "MainProcess":
            raise_next("receive")
        return message

    SpawnProcess.start = faulty_start  # type: ignore[method-assign,assignment]
    Connection.send = faulty_send  # type: ignore[method-assign,assignment]
    Connection.recv = faulty_receive  # type: ignore[method-assign,assignment]


def remove_names() -> None:
    """Remove the functions that do not exist on Windows, or on macOS before Python 3.13."""
    # On Linux, the standard library kills a process with signal.SIGKILL, which is removed below.
    popen_fork.Popen.kill = lambda self: self._send_signal(SIGKILL)  # type: ignore[method-assign,attr-defined]
    for name in ("waitid", "P_PID", "WEXITED", "WNOWAIT", "nice", "sched_getaffinity"):
        delattr(os, name)
    del signal.SIGKILL
    sys.modules["resource"] = None  # type: ignore[assignment]


if FOLDER.is_dir():
    inject()
if os.environ.get("INJECTED_ABSENCE") == "1":
    remove_names()
