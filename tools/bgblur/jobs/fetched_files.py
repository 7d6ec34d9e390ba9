"""The results in a folder, and a record of checksums, so that later runs can skip these results."""

from __future__ import annotations

import glob
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BufferedRandom, BufferedReader
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from bgblur.blurring.output import rename_without_replacing, would_replace
from bgblur.jobs.appended_lines import AppendedLines
from bgblur.jobs.names import source_digest

PART_SUFFIX = ".part"
RANDOM_BYTES = 8


@dataclass(frozen=True, slots=True)
class Fetched:
    """A result that was written to a file."""

    source: str
    file: str
    """The file's path relative to the folder, with `/` as the separator."""
    bytes: int
    sha256: str


class FetchedFiles:
    """Writes results to a folder. Threads can share it. Use it as a context manager.

    The record is a hidden file of JSON lines, which the context manager keeps open. The line of a
    result is written before its file gets its final name, so every complete result has a line.
    """

    def __init__(self, folder: Path, job_id: str, *, overwrite: bool) -> None:
        """Store the folder; nothing is read or written yet."""
        self.folder = folder
        self._prefix = f".bgblur-{job_id}"
        self._lines = AppendedLines(folder / f"{self._prefix}.jsonl")
        self._overwrite = overwrite
        self._known: dict[bytes, Fetched] = {}

    def __enter__(self) -> Self:
        """Read or create the file that records the results; remove temporary files of killed runs.

        Raises:
            OSError: the folder cannot be read or written.

        """
        self._lines.__enter__()
        self._lines.share(self._remove_temporary)
        recorded = [Fetched(**line) for line in self._lines.read()]
        self._known = {source_digest(fetched.source): fetched for fetched in recorded}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file that records the saved results."""
        self._lines.__exit__(kind, error, traceback)

    def assigned(self) -> dict[bytes, str]:
        """Return the file of each recorded result, by the digest of the photo's name."""
        return {digest: fetched.file for digest, fetched in self._known.items()}

    def has(self, source: str, file: str) -> bool:
        """Return whether the file has the recorded size and checksum.

        Raises:
            OSError: the file cannot be read.

        """
        fetched = self._known.get(source_digest(source))
        if fetched is None or fetched.file != file:
            return False
        try:
            with (self.folder / file).open("rb") as opened:
                if opened.seek(0, 2) != fetched.bytes:
                    return False
                return _checksum(opened) == fetched.sha256
        except FileNotFoundError:
            return False

    def write(self, source: str, file: str, receive: Callable[[BinaryIO], object]) -> int:
        """Write a result, completely or not at all; return its size.

        Raises:
            FileExistsError: the file exists, is not a result of this job, and must not be
            overwritten.
            OSError: the file cannot be written.

        """
        target = self.folder / file
        is_known = source_digest(source) in self._known
        if not (self._overwrite or is_known) and would_replace(target):
            raise FileExistsError(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._temporary(target) as (path, opened):
            receive(opened)
            size = opened.seek(0, 2)
            self._record(Fetched(source, file, size, _checksum(opened)))
            if self._overwrite or is_known:
                path.replace(target)
            else:
                rename_without_replacing(path, target)
        return size

    def _record(self, fetched: Fetched) -> None:
        self._lines.append(asdict(fetched))
        self._known[source_digest(fetched.source)] = fetched

    @contextmanager
    def _temporary(self, target: Path) -> Iterator[tuple[Path, BufferedRandom]]:
        """Open a hidden file in the target's folder; at the end, remove it if it still exists."""
        path = target.with_name(f"{self._prefix}-{secrets.token_hex(RANDOM_BYTES)}{PART_SUFFIX}")
        try:
            with path.open("xb+") as file:
                yield path, file
        finally:
            path.unlink(missing_ok=True)

    def _remove_temporary(self) -> None:
        pattern = f"{glob.escape(self._prefix)}-{'?' * 2 * RANDOM_BYTES}{PART_SUFFIX}"
        for path in self.folder.rglob(pattern):
            path.unlink(missing_ok=True)


def _checksum(file: BufferedRandom | BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
