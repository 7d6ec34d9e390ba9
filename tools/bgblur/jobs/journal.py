"""The list of photos that were uploaded for a job, so that a later run can continue."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from bgblur.jobs.appended_lines import AppendedLines
from bgblur.jobs.names import source_digest


class Journal:
    """A file with a line for each uploaded photo. Use it as a context manager.

    In memory, the journal keeps only a digest of each photo's name.
    """

    def __init__(self, path: Path) -> None:
        """Store the path; nothing is read or written yet."""
        self._lines = AppendedLines(path)
        self._known: set[bytes] = set()

    def __enter__(self) -> Self:
        """Read the file, and create it if it does not exist.

        Raises:
            OSError: the file cannot be read or written.

        """
        self._lines.__enter__()
        self._known = {source_digest(source) for source in self._lines.read()}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._lines.__exit__(kind, error, traceback)

    def __contains__(self, source: str) -> bool:
        """Return whether the photo was uploaded."""
        return source_digest(source) in self._known

    def add(self, source: str) -> None:
        """Add an uploaded photo, and write it to the file immediately."""
        self._lines.append(source)
        self._known.add(source_digest(source))

    def remove(self) -> None:
        """Remove the file; it is not needed after the job is closed."""
        self._lines.remove()
