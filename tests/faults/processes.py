"""Finds the processes of a server: the started process and all its descendants."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

GONE_S = 10


def descendants(pid: int) -> list[int]:
    """Return the ids of the process and of all its descendants."""
    with suppress(psutil.NoSuchProcess):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


def workers(pid: int, name: str = "photo") -> list[int]:
    """Return the ids of the running workers in one of the server's pools."""
    members = [member for member in descendants(pid)[1:] if _name(member) == f"bgblur-{name}"]
    return [member for member in members if _is_running(member)]


def arguments_of(pid: int) -> list[str]:
    """Return the words of a process's command line; none if the process has ended."""
    with suppress(psutil.NoSuchProcess):
        return list(psutil.Process(pid).cmdline())
    return []


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment variables of a process; none if the process has ended."""
    with suppress(psutil.NoSuchProcess):
        return dict(psutil.Process(pid).environ())
    return {}


def mapped_files(pid: int) -> str:
    """Return the paths of the files that a process has mapped into its memory, one per line."""
    return "\n".join(mapped.path for mapped in psutil.Process(pid).memory_maps())


def require_gone(pids: list[int]) -> None:
    """Require that the processes of a stopped server end within `GONE_S` seconds."""
    deadline = time.monotonic() + GONE_S
    while left := [pid for pid in pids if _is_running(pid)]:
        assert time.monotonic() < deadline, (
            f"processes still run after the server has ended: {left}"
        )
        time.sleep(0.05)


def _name(pid: int) -> str:
    with suppress(psutil.NoSuchProcess):
        return str(psutil.Process(pid).name())
    return ""


def _is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie, which has ended but still has an id, does not."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False
