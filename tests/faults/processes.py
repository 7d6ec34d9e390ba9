"""Finds the processes of a server: the started process and all its descendants."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

GONE_S = 10


def descendants(pid: int) -> list[int]:
    """Return the ids of the process and of all its descendants."""
    children = [
        int(child)
        for listed in Path(f"/proc/{pid}/task").glob("*/children")
        for child in listed.read_text().split()
    ]
    return [pid, *(member for child in children for member in descendants(child))]


def workers(pid: int, name: str = "photo") -> list[int]:
    """Return the ids of the running workers in one of the server's pools."""
    members = [member for member in descendants(pid)[1:] if _name(member) == f"bgblur-{name}"]
    return [member for member in members if _is_running(member)]


def environment_of(pid: int) -> set[str]:
    """Return the environment variables of a process, each as `NAME=value`."""
    with suppress(OSError):  # the process has ended
        return set(Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return set()


def mapped_files(pid: int) -> str:
    """Return the list of the files that a process has mapped into its memory."""
    return Path(f"/proc/{pid}/maps").read_text()


def require_gone(pids: list[int]) -> None:
    """Require that the processes of a stopped server end within `GONE_S` seconds."""
    deadline = time.monotonic() + GONE_S
    while left := [pid for pid in pids if _is_running(pid)]:
        assert time.monotonic() < deadline, f"processes {left} still run after the server ended"
        time.sleep(0.05)


def _name(pid: int) -> str:
    with suppress(OSError):  # the process has ended
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    return False
