"""Files are synced before they are renamed, uploads leave disk space free, and old files expire."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from pathlib import Path

import pytest
from tests.unit.storage.job_folder.conftest import JOB, NOW_US, put

from blur.errors import OverloadedError, UnavailableError, UploadNotFoundError
from blur.jobs.model import object_id
from blur.storage.job_folder import DAY_US, UPLOADS_AT_ONCE, JobFolder
from blur.storage.ports import KEEP_DAYS


def test_photos_and_results_are_synced_to_the_disk_before_they_are_renamed(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rename is between the fsync of the file and the fsync of the folder."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("fsync folder" if is_folder else "fsync file")
        fsync(descriptor)

    def recorded_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    put(folder, "first")  # creates the folders
    folder.write_result(JOB, object_id("b"), b"x", content_type="image/png", file_name="b.png")
    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    put(folder, "a")
    folder.write_result(JOB, object_id("a"), b"x", content_type="image/png", file_name="a.png")
    assert steps == 2 * ["fsync file", "rename", "fsync folder"]


def test_new_folders_are_also_flushed_to_the_disk(
    folder: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def recorded_fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    put(folder, "a")
    media = tmp_path / "media"
    folders = (tmp_path, media, media / "jobs", media / "jobs" / JOB)
    assert {str(each) for each in folders} <= set(synced)


def test_a_job_rejects_uploads_while_too_many_are_unfinished(folder: JobFolder) -> None:
    def fill(number: int) -> None:
        with folder.writing_source(JOB, f"{number}") as file:
            file.write(b"photo")
            if number:
                fill(number - 1)
                return
            with pytest.raises(OverloadedError):
                put(folder, "one too many")
            put(folder, "a", job_id="another")

    fill(UPLOADS_AT_ONCE - 1)
    assert len(list(folder.list_sources(JOB))) == UPLOADS_AT_ONCE


def test_uploads_leave_space_on_the_disk_for_the_database_of_accounts(folder: JobFolder) -> None:
    with (
        pytest.raises(UnavailableError) as caught,
        folder.writing_source(JOB, "a", leave_bytes=1 << 62),
    ):
        pass
    assert caught.value.retry_after_s
    assert list(folder.list_sources(JOB)) == []
    put(folder, "a")


def test_a_sweep_removes_the_files_of_a_job_some_days_after_its_last_file(
    folder: JobFolder, tmp_path: Path
) -> None:
    folder.sweep(now_us=NOW_US)
    put(folder, "a")
    folder.sweep(now_us=NOW_US + (KEEP_DAYS - 1) * DAY_US)
    assert list(folder.list_sources(JOB)) == ["a"]
    old_s = time.time() - (KEEP_DAYS + 1) * 86_400
    job = tmp_path / "media" / "jobs" / JOB
    for path in (job / "sources", job):
        os.utime(path, (old_s, old_s))
    folder.write_result(JOB, object_id("a"), b"x", content_type="image/png", file_name="a.png")
    folder.sweep(now_us=NOW_US)
    assert list(folder.list_sources(JOB)) == ["a"]
    folder.sweep(now_us=NOW_US + (KEEP_DAYS + 1) * DAY_US)
    assert not job.exists()
    with pytest.raises(UploadNotFoundError):
        folder.read_result(JOB, object_id("a"))


def test_if_a_job_cannot_be_removed_the_other_expired_jobs_are_removed(
    folder: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job_id in ("job_1", "job_2", "job_3"):
        put(folder, "a", job_id=job_id)
    jobs, parts = tmp_path / "media" / "jobs", tmp_path / "media" / "job-parts"
    (parts / "abandoned").write_bytes(b"half")
    remove, [first, *_] = shutil.rmtree, list(jobs.iterdir())

    def denied(path: Path) -> None:
        if path == first:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", denied)
    with pytest.raises(UnavailableError):
        folder.sweep(now_us=NOW_US + (KEEP_DAYS + 1) * DAY_US)
    assert list(jobs.iterdir()) == [first]
    assert list(parts.iterdir()) == []


def test_a_sweep_removes_files_whose_writing_was_interrupted(
    folder: JobFolder, tmp_path: Path
) -> None:
    parts = tmp_path / "media" / "job-parts"
    parts.mkdir(parents=True)
    (parts / "abandoned").write_bytes(b"half")
    folder.sweep(now_us=NOW_US)
    assert (parts / "abandoned").exists()
    folder.sweep(now_us=NOW_US + 2 * DAY_US)
    assert not (parts / "abandoned").exists()


def test_a_folder_that_cannot_be_used_makes_the_storage_unavailable(
    folder: JobFolder, tmp_path: Path
) -> None:
    (tmp_path / "media").write_text("not a folder")
    with pytest.raises(UnavailableError):
        folder.presign_sources(JOB, max_bytes=1, now_us=NOW_US)
    with pytest.raises(UnavailableError):
        put(folder, "a")
    with pytest.raises(UnavailableError):
        folder.read_result(JOB, object_id("a"))
    with pytest.raises(UnavailableError):
        folder.sweep(now_us=NOW_US)
