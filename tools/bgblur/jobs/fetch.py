"""Fetch the results of a job into a folder, and skip the results that are already in the folder."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from bgblur.jobs.names import ResultNames
from blur_client.errors import ApiError, BlurClientError
from blur_client.parallel import map_bounded
from blur_client.source import HEAD_BYTES, media_type

if TYPE_CHECKING:
    from bgblur.jobs.fetched_files import FetchedFiles
    from bgblur.jobs.progress import JobDisplay
    from blur_client import Job, ManifestRow
    from blur_client.jobs import Jobs

MANIFEST = "manifest.jsonl"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Disk errors that would also occur for all other results."""
RESULT_STATUSES = frozenset({404, 410})
"""Statuses of errors that concern only one result, such as an expired result. Other results can
still be fetched."""


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """The outcome of fetching one result."""

    source: str
    is_new: bool = False
    failure: str | None = None


@dataclass
class Fetch:
    """The transfer of one job's results to a folder."""

    jobs: Jobs
    job: Job
    files: FetchedFiles
    display: JobDisplay
    stop: threading.Event
    """When this event is set, no further result is fetched."""
    fetched: int = 0
    skipped: int = 0
    """Results that an earlier run has fetched."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """The photo's name for each result that could not be fetched, and the reason."""

    def counts(self) -> dict[str, Any]:
        """Return the counts for the JSON output."""
        failures = [{"source": source, "message": reason} for source, reason in self.failures]
        return {"fetched": self.fetched, "skipped": self.skipped, "not_fetched": failures}

    def run(self, threads: int) -> None:
        """Fetch all results that exist now, and write a manifest that names their files.

        If `stop` was set, the manifest of an earlier run is kept.

        Raises:
            BlurClientError: an error that would also occur for all other results.
            OSError: the manifest cannot be written, or the disk is full.

        """
        path = self.files.folder / MANIFEST
        with _replacing(path, is_complete=lambda: not self.stop.is_set()) as manifest:
            for outcome in map_bounded(self._fetch, self._rows(manifest), threads=threads):
                self._count(outcome)

    def _rows(self, manifest: TextIO) -> Iterator[tuple[ManifestRow, str]]:
        """Write every manifest row; yield the rows with a result, and each result's file name."""
        output = self.job.parameters.get("format", "png")
        names = ResultNames(self.files.folder, output, self.files.assigned())
        for row in self.jobs.manifest(self.job.job_id):
            if self.stop.is_set():
                return
            file = names.name(row.source) if row.result else None
            manifest.write(json.dumps(_line(row, file)) + "\n")
            if file is not None:
                yield row, file

    def _fetch(self, pair: tuple[ManifestRow, str]) -> FetchOutcome:
        row, file = pair
        try:
            if self.files.has(row.source, file):
                return FetchOutcome(row.source)
            self.files.write(row.source, file, lambda opened: self._receive(row, opened))
        except FileExistsError:
            return FetchOutcome(row.source, failure=f"{file} exists (--overwrite replaces it)")
        except OSError as error:
            if error.errno in FULL:
                raise
            return FetchOutcome(row.source, failure=f"{file}: {error.strerror or error}")
        except ApiError as error:
            if error.status not in RESULT_STATUSES:
                raise
            return FetchOutcome(row.source, failure=error.message)
        except _DamagedError as error:
            return FetchOutcome(row.source, failure=str(error))
        return FetchOutcome(row.source, is_new=True)

    def _receive(self, row: ManifestRow, file: BinaryIO) -> None:
        """Fetch a result, and check that the file is an image of the declared type."""
        declared = self.jobs.fetch(self.job.job_id, row, file)
        file.seek(0)
        found = media_type(file.read(HEAD_BYTES))
        if found != declared.partition(";")[0].strip():
            message = f"the result is not an image of the type {declared}"
            raise _DamagedError(message)

    def _count(self, outcome: FetchOutcome) -> None:
        if outcome.failure is not None:
            self.failures.append((outcome.source, outcome.failure))
            self.display.print(f"Error: {outcome.source}: {outcome.failure}", style="red")
        elif outcome.is_new:
            self.fetched += 1
        else:
            self.skipped += 1
        ended = self.fetched + self.skipped + len(self.failures)
        self.display.update("Fetching", ended, self.job.done)


class _DamagedError(BlurClientError):
    """A result is not the image that its headers declare."""


def _line(row: ManifestRow, file: str | None) -> dict[str, object]:
    """Return the row to write to the manifest file: with a file name instead of a link."""
    return {
        "source": row.source,
        "state": row.state,
        "file": file,
        "code": row.code,
        "message": row.message,
        "credits": row.credits,
        "milliseconds": row.milliseconds,
    }


@contextmanager
def _replacing(path: Path, *, is_complete: Callable[[], bool]) -> Iterator[TextIO]:
    """Yield a temporary file; at the end, rename it to `path` if it is complete, or remove it."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        if is_complete():
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
