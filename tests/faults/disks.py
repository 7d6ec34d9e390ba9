"""Disks that are full or read-only, and locked files, for SQLite and the uploads.

A limit on file sizes has the same effect as a full disk, and tests can set it without root: writes
fail, with EFBIG instead of ENOSPC. Python ignores the signal that comes with EFBIG. With a limit of
0, nothing can be written, as on a read-only disk.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.processes import descendants

DISK_BYTES = 8_000_000


@contextmanager
def full_by_limit(pid: int | None = None, *, largest: int = 0) -> Iterator[None]:
    """Limit each file that a process and its children write to `largest` bytes."""
    pid = pid or os.getpid()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    _limit(pid, (largest, hard))
    try:
        yield
    finally:
        _limit(pid, (hard, hard))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep a SQLite file locked for writing, like a backup that takes too long."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Remove write permission from a folder and its files; root can still write."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def without_privileges() -> list[str]:
    """Return a command prefix that removes root's right to write read-only files."""
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", rights] if os.geteuid() == 0 else []


@contextmanager
def tmpfs(folder: Path) -> Iterator[None]:
    """Mount a small file system in memory over the folder; only root can do this."""
    options = f"size={DISK_BYTES}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(folder: Path, *, leave: int = 0) -> Iterator[None]:
    """Fill the disk of a folder with a file, except for `leave` bytes."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        with suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(file.tell() - leave)
    try:
        yield
    finally:
        filler.unlink()


def _limit(pid: int, limits: tuple[int, int]) -> None:
    for member in descendants(pid):
        with suppress(ProcessLookupError):  # a child process that has ended
            resource.prlimit(member, resource.RLIMIT_FSIZE, limits)
