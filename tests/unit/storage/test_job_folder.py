"""The files of jobs in a folder."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blur.errors import (
    ImageTooLargeError,
    OverloadedError,
    UnavailableError,
    UploadNotFoundError,
)
from blur.jobs.model import MAX_SOURCE_BYTES, object_id
from blur.storage.folder import TOKEN_FIELD, FolderStore
from blur.storage.job_folder import DAY_US, UPLOADS_AT_ONCE, JobFolder
from blur.storage.ports import KEEP_DAYS, LINK_TTL_S

if TYPE_CHECKING:
    from blur.jobs.ports import JobFiles

NOW_US = time.time_ns() // 1000
JOB = "job_9Xb-7"
LONGEST = "é" * (MAX_SOURCE_BYTES // 2)
NAMES = ("a.jpg", "2026/été/a b.jpg", "../../etc/passwd", "/root", 'a\nb"c\\', LONGEST)


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "media")


def put(folder: JobFolder, source: str, data: bytes = b"photo", job_id: str = JOB) -> None:
    with folder.writing_source(job_id, source) as file:
        file.write(data)


def test_a_folder_is_a_storage_for_jobs(folder: JobFolder) -> None:
    files: JobFiles = folder
    assert files.copy_target(JOB) is None
    assert files.link_result(JOB, object_id("a"), now_us=NOW_US) is None


@pytest.mark.parametrize("source", NAMES)
def test_a_photo_is_read_and_listed_by_the_name_that_the_client_gave(
    source: str, folder: JobFolder
) -> None:
    put(folder, source, b"first\nline")
    assert folder.read_source(JOB, source, max_bytes=10) == b"first\nline"
    assert list(folder.list_sources(JOB)) == [source]


def test_no_name_of_a_photo_is_part_of_a_path(folder: JobFolder, tmp_path: Path) -> None:
    for source in NAMES:
        put(folder, source)
    sources = tmp_path / "media" / "jobs" / JOB / "sources"
    assert {path.name for path in sources.iterdir()} == {object_id(source) for source in NAMES}
    assert {path.name for path in tmp_path.iterdir()} == {"media"}


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "a b", "jöb"])
def test_no_job_id_leads_out_of_the_folder(job_id: str, folder: JobFolder) -> None:
    with pytest.raises(UploadNotFoundError):
        put(folder, "a", job_id=job_id)
    with pytest.raises(UploadNotFoundError):
        folder.presign_sources(job_id, max_bytes=1, now_us=NOW_US)


@pytest.mark.parametrize("result", ["", "..", "a", "a" * 31 + "/", "A" * 32])
def test_no_result_id_leads_out_of_the_folder(result: str, folder: JobFolder) -> None:
    with pytest.raises(UploadNotFoundError):
        folder.read_result(JOB, result)


def test_a_later_upload_replaces_the_photo(folder: JobFolder) -> None:
    put(folder, "a", b"first")
    put(folder, "a", b"second")
    assert folder.read_source(JOB, "a", max_bytes=10) == b"second"
    assert list(folder.list_sources(JOB)) == ["a"]


def test_a_failed_upload_leaves_no_file(folder: JobFolder, tmp_path: Path) -> None:
    put(folder, "a", b"first")
    with pytest.raises(ZeroDivisionError), folder.writing_source(JOB, "a") as file:
        file.write(b"second" + bytes([1 // 0]))
    assert folder.read_source(JOB, "a", max_bytes=10) == b"first"
    assert not list((tmp_path / "media" / "job-parts").iterdir())


def test_a_missing_or_too_large_photo_is_an_error_of_the_contract(folder: JobFolder) -> None:
    with pytest.raises(UploadNotFoundError):
        folder.read_source(JOB, "a", max_bytes=10)
    assert list(folder.list_sources(JOB)) == []
    put(folder, "a", bytes(11))
    with pytest.raises(ImageTooLargeError):
        folder.read_source(JOB, "a", max_bytes=10)
    assert folder.read_source(JOB, "a", max_bytes=11) == bytes(11)


@pytest.mark.parametrize("damaged", [b"", b'"b.jp', b"\xff\xfe"])
def test_a_file_without_its_name_is_not_listed(
    damaged: bytes, folder: JobFolder, tmp_path: Path
) -> None:
    for source in ("a.jpg", "b.jpg", "c.jpg"):
        put(folder, source, b"photo")
    path = tmp_path / "media" / "jobs" / JOB / "sources" / object_id("b.jpg")
    path.write_bytes(damaged)
    assert sorted(folder.list_sources(JOB)) == ["a.jpg", "c.jpg"]


def test_a_result_is_read_again_until_it_is_replaced(folder: JobFolder) -> None:
    with pytest.raises(UploadNotFoundError):
        folder.read_result(JOB, object_id("a"))
    for data in (b"first", b"second"):
        folder.write_result(JOB, object_id("a"), data, content_type="image/png", file_name="a.png")
        assert folder.read_result(JOB, object_id("a")) == data


def test_the_form_of_a_job_has_its_prefix_and_expires(folder: JobFolder) -> None:
    form = folder.presign_sources(JOB, max_bytes=7, now_us=NOW_US)
    assert form.prefix == f"jobs/{JOB}/"
    assert form.expires_us == NOW_US + LINK_TTL_S * 1_000_000
    job_id, token = folder.verify_token(form.fields[TOKEN_FIELD], now_us=form.expires_us - 1)
    assert (job_id, token.max_bytes) == (JOB, 7)
    with pytest.raises(UploadNotFoundError, match="returns a new one"):
        folder.verify_token(form.fields[TOKEN_FIELD], now_us=form.expires_us)


def test_the_tokens_of_uploads_and_of_jobs_are_not_exchangeable(
    folder: JobFolder, tmp_path: Path
) -> None:
    uploads = FolderStore(tmp_path / "media")
    form = uploads.presign_upload("uploads/a", content_type="", max_bytes=7, now_us=NOW_US)
    with pytest.raises(UploadNotFoundError):
        folder.verify_token(form.fields[TOKEN_FIELD], now_us=NOW_US)
    signed = folder.presign_sources(JOB, max_bytes=7, now_us=NOW_US).fields[TOKEN_FIELD]
    token = uploads.verify_token(signed, now_us=NOW_US)
    with pytest.raises(UploadNotFoundError), uploads.writing(token):
        pass


def test_only_the_owner_can_read_photos_and_results(folder: JobFolder, tmp_path: Path) -> None:
    put(folder, "a")
    folder.write_result(JOB, object_id("a"), b"x", content_type="image/png", file_name="a.png")
    for path in (tmp_path / "media").rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_photos_and_results_are_on_the_disk_before_they_get_their_name(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rename is between the fsync of the file and that of its folder."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("fsync folder" if is_folder else "fsync file")
        fsync(descriptor)

    def recorded_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    put(folder, "first")  # makes the folders
    folder.write_result(JOB, object_id("b"), b"x", content_type="image/png", file_name="b.png")
    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    put(folder, "a")
    folder.write_result(JOB, object_id("a"), b"x", content_type="image/png", file_name="a.png")
    assert steps == 2 * ["fsync file", "rename", "fsync folder"]


def test_new_folders_are_also_written_to_the_disk(
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


def test_a_job_has_a_limited_number_of_uploads_at_the_same_time(folder: JobFolder) -> None:
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


def test_photos_leave_space_on_the_disk_for_the_accounts(folder: JobFolder) -> None:
    with (
        pytest.raises(UnavailableError) as caught,
        folder.writing_source(JOB, "a", leave_bytes=1 << 62),
    ):
        pass
    assert caught.value.retry_after_s
    assert list(folder.list_sources(JOB)) == []
    put(folder, "a")


def test_a_sweep_removes_a_job_some_days_after_its_last_file(
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
