"""Photos and results of jobs: names, the owner of the files, and the presigned form."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from tests.unit.storage.job_folder.conftest import JOB, NOW_US, put

from blur.errors import ImageTooLargeError, UploadNotFoundError
from blur.jobs.model import MAX_SOURCE_BYTES, object_id
from blur.storage.folder import TOKEN_FIELD, FolderStore
from blur.storage.ports import LINK_TTL_S

if TYPE_CHECKING:
    from pathlib import Path

    from blur.jobs.ports import JobFiles
    from blur.storage.job_folder import JobFolder

LONGEST = "é" * (MAX_SOURCE_BYTES // 2)
NAMES = ("a.jpg", "2026/été/a b.jpg", "../../etc/passwd", "/root", 'a\nb"c\\', LONGEST)


def test_a_job_in_a_folder_has_no_address_for_copied_photos_and_no_links_to_results(
    folder: JobFolder,
) -> None:
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
def test_a_job_id_cannot_select_a_file_outside_the_folder(job_id: str, folder: JobFolder) -> None:
    with pytest.raises(UploadNotFoundError):
        put(folder, "a", job_id=job_id)
    with pytest.raises(UploadNotFoundError):
        folder.presign_sources(job_id, max_bytes=1, now_us=NOW_US)


@pytest.mark.parametrize("result", ["", "..", "a", "a" * 31 + "/", "A" * 32])
def test_a_result_id_cannot_select_files_outside_the_folder(result: str, folder: JobFolder) -> None:
    with pytest.raises(UploadNotFoundError):
        folder.read_result(JOB, result)


def test_a_later_upload_replaces_the_photo(folder: JobFolder) -> None:
    put(folder, "a", b"first")
    put(folder, "a", b"second")
    assert folder.read_source(JOB, "a", max_bytes=10) == b"second"
    assert list(folder.list_sources(JOB)) == ["a"]


def test_a_failed_upload_keeps_the_earlier_photo_and_leaves_no_incomplete_file(
    folder: JobFolder, tmp_path: Path
) -> None:
    put(folder, "a", b"first")
    with pytest.raises(ZeroDivisionError), folder.writing_source(JOB, "a") as file:
        file.write(b"second" + bytes([1 // 0]))
    assert folder.read_source(JOB, "a", max_bytes=10) == b"first"
    assert not list((tmp_path / "media" / "job-parts").iterdir())


def test_a_missing_or_too_large_photo_raises_a_documented_error(folder: JobFolder) -> None:
    with pytest.raises(UploadNotFoundError):
        folder.read_source(JOB, "a", max_bytes=10)
    assert list(folder.list_sources(JOB)) == []
    put(folder, "a", bytes(11))
    with pytest.raises(ImageTooLargeError):
        folder.read_source(JOB, "a", max_bytes=10)
    assert folder.read_source(JOB, "a", max_bytes=11) == bytes(11)


@pytest.mark.parametrize("damaged", [b"", b'"b.jp', b"\xff\xfe"])
def test_a_damaged_file_is_not_listed(damaged: bytes, folder: JobFolder, tmp_path: Path) -> None:
    for source in ("a.jpg", "b.jpg", "c.jpg"):
        put(folder, source, b"photo")
    path = tmp_path / "media" / "jobs" / JOB / "sources" / object_id("b.jpg")
    path.write_bytes(damaged)
    assert sorted(folder.list_sources(JOB)) == ["a.jpg", "c.jpg"]


def test_reading_a_missing_result_fails_and_a_result_can_be_replaced(folder: JobFolder) -> None:
    with pytest.raises(UploadNotFoundError):
        folder.read_result(JOB, object_id("a"))
    for data in (b"first", b"second"):
        folder.write_result(JOB, object_id("a"), data, content_type="image/png", file_name="a.png")
        assert folder.read_result(JOB, object_id("a")) == data


def test_the_upload_form_of_a_job_has_the_prefix_of_the_job_and_expires(folder: JobFolder) -> None:
    form = folder.presign_sources(JOB, max_bytes=7, now_us=NOW_US)
    assert form.prefix == f"jobs/{JOB}/"
    assert form.expires_us == NOW_US + LINK_TTL_S * 1_000_000
    job_id, token = folder.verify_token(form.fields[TOKEN_FIELD], now_us=form.expires_us - 1)
    assert (job_id, token.max_bytes) == (JOB, 7)
    with pytest.raises(UploadNotFoundError, match="returns a new one"):
        folder.verify_token(form.fields[TOKEN_FIELD], now_us=form.expires_us)


def test_the_tokens_of_uploads_and_of_jobs_are_not_interchangeable(
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
