"""How the server receives the photos of a job."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from requests_toolbelt import MultipartEncoder

from bgblur.serving.uploads import JobUploadReceiver
from blur.clock import now
from blur.errors import UnavailableError
from blur.jobs.model import JobState
from blur.storage.job_folder import JobFolder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bgblur.serving.ports import JobQueue

JOB, LEAVE_BYTES, PART_BYTES = "job_1", 1_000, 50_000


@dataclass
class Queue:
    """A queue that has one open job and records the added photos."""

    added: list[str] = field(default_factory=list)

    def find_job(self, _: str) -> object:
        return SimpleNamespace(state=JobState.OPEN, has_ended=False)

    def add_object(self, _: str, source: str, *, now_us: int) -> bool:
        assert now_us
        self.added.append(source)
        return True


def send(folder: JobFolder, queue: Queue, photo: bytes) -> None:
    uploads = JobUploadReceiver(
        folder=folder, queue=cast("JobQueue", queue), leave_bytes=LEAVE_BYTES, on_added=lambda: None
    )
    form = folder.presign_sources(JOB, max_bytes=len(photo), now_us=now())
    fields = {**form.fields, "key": f"{form.prefix}a.jpg", "file": ("a.jpg", photo)}
    encoder = MultipartEncoder(fields)

    async def chunks() -> AsyncIterator[bytes]:
        while chunk := encoder.read(PART_BYTES):
            yield chunk

    asyncio.run(uploads.receive(encoder.content_type, chunks()))


def test_an_upload_stops_when_the_disk_becomes_almost_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many uploads can start at the same time although there is space for only one of them."""
    folder, queue = JobFolder(tmp_path), Queue()
    free_bytes = iter([LEAVE_BYTES, LEAVE_BYTES, LEAVE_BYTES, LEAVE_BYTES - 1])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free_bytes)))
    with pytest.raises(UnavailableError) as caught:
        send(folder, queue, bytes(10 * PART_BYTES))
    assert caught.value.retry_after_s == 60
    assert (list(folder.list_sources(JOB)), queue.added) == ([], [])
    assert list((tmp_path / "job-parts").iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=LEAVE_BYTES))
    send(folder, queue, bytes(10 * PART_BYTES))
    assert (list(folder.list_sources(JOB)), queue.added) == (["a.jpg"], ["a.jpg"])
