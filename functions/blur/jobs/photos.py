"""Compares the photos of a job in the storage with the job's rows in the store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from blur.jobs.model import JobObject, ObjectState, object_id

if TYPE_CHECKING:
    from blur.jobs.ports import JobFiles, JobStore

PAGE = 1_000


class PhotoInventory(NamedTuple):
    """The photos of a job; each photo is named by its source."""

    number: int
    """The number of photos that have a row in the store or are in the storage (or both)."""
    waiting: list[str]
    """The photos whose row has the state `waiting`."""
    unknown: list[str]
    """The photos in the storage that have no row."""


def compare_photos(jobs: JobStore, files: JobFiles, job_id: str) -> PhotoInventory:
    """Return which photos of a job are waiting, and which are in the storage but have no row."""
    known: set[str] = set()
    waiting = []
    for row in _rows(jobs, job_id, tuple(ObjectState)):
        known.add(row.object_id)
        if not row.state.has_ended:
            waiting.append(row.source)
    sources = files.list_sources(job_id)
    unknown = [source for source in sources if object_id(source) not in known]
    return PhotoInventory(len(known) + len(unknown), waiting, unknown)


def waiting_sources(jobs: JobStore, job_id: str) -> Iterator[str]:
    """Yield the sources of the waiting rows, which are read a page at a time."""
    for row in _rows(jobs, job_id, (ObjectState.WAITING,)):
        yield row.source


def _rows(jobs: JobStore, job_id: str, states: tuple[ObjectState, ...]) -> Iterator[JobObject]:
    after: str | None = None
    while True:
        page = jobs.list_objects(job_id, states=states, after=after, limit=PAGE)
        yield from page.objects
        after = page.after
        if after is None:
            return
