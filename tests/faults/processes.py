"""A server's processes: the one that was started, and the children that it has."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

GONE_S = 10


def family(pid: int) -> list[int]:
    """Return the process and all of its descendants."""
    children = [
        int(child)
        for listed in Path(f"/proc/{pid}/task").glob("*/children")
        for child in listed.read_text().split()
    ]
    return [pid, *(member for child in children for member in family(child))]


def require_gone(pids: list[int]) -> None:
    """Require that none of the processes outlives its server by more than a moment."""
    deadline = time.monotonic() + GONE_S
    while left := [pid for pid in pids if _is_there(pid)]:
        assert time.monotonic() < deadline, f"processes {left} outlive their server"
        time.sleep(0.05)


@contextmanager
def no_byte_more(pid: int, largest: int = 0) -> Iterator[None]:
    """Let the server's files grow to `largest` bytes and no further: a full disk, for any user.

    Writes beyond it fail with EFBIG where those on a full disk fail with ENOSPC, and with a
    `largest` of 0 nothing can be written at all.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    _limit(pid, (largest, hard))
    try:
        yield
    finally:
        _limit(pid, (hard, hard))


def _limit(pid: int, limits: tuple[int, int]) -> None:
    for member in family(pid):
        with suppress(ProcessLookupError):  # a child that ended meanwhile
            resource.prlimit(member, resource.RLIMIT_FSIZE, limits)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
