"""A file of JSON lines: a program appends lines, and reads the file at its next start."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO


class AppendedLines:
    """A file to which several threads can append lines. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Store the path; nothing is read or written yet."""
        self._path = path
        self._file: TextIO | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Open the file, and create it and its folder if they do not exist.

        Raises:
            OSError: the file cannot be written.

        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a", encoding="utf-8")
        if self._file.tell():
            self._file.write("\n")  # the last line can be incomplete: end it
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def read(self) -> Iterator[Any]:
        """Yield the value of each line; skip incomplete lines.

        Raises:
            OSError: the file cannot be read.

        """
        with self._path.open("rb") as file:
            for line in file:
                with suppress(ValueError):
                    yield json.loads(line)

    def append(self, value: object) -> None:
        """Write a line immediately; do nothing if the file is not open."""
        if self._file is not None:
            with self._lock:
                self._file.write(json.dumps(value) + "\n")
                self._file.flush()

    def share(self, clean_up: Callable[[], None]) -> None:
        """Call `clean_up` if no other process has a lock on the file; then keep a shared lock.

        The lock ends when the file is closed. On a system without file locks, `clean_up` is never
        called.
        """
        try:
            import fcntl  # noqa: PLC0415 - Windows does not have this module
        except ImportError:
            return
        if self._file is None:
            return
        with suppress(OSError):  # another process has a lock, or the file system has no locks
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clean_up()
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)
