"""Uploads in a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from blur.delivery.folder import KEEP_S, TOKEN_FIELD, FolderStore
from blur.delivery.permit import Permit
from blur.errors import ImageTooLargeError, UnavailableError, UploadNotFoundError

NOW_US = time.time_ns() // 1000


def permit_of(store: FolderStore) -> Permit:
    form = store.offer("uploads/a", content_type="image/png", max_bytes=10, now_us=NOW_US)
    return store.permit(form.fields[TOKEN_FIELD], now_us=NOW_US)


def test_what_is_written_whole_can_be_taken_and_nothing_else(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    permit = permit_of(store)
    with pytest.raises(UploadNotFoundError):
        store.take("uploads/a", max_bytes=10)
    with pytest.raises(ZeroDivisionError), store.writing(permit) as file:
        file.write(bytes([1 // 0]))
    assert not list(tmp_path.glob("uploads/*"))
    with store.writing(permit) as file:
        file.write(b"whole")
    assert store.take("uploads/a", max_bytes=10) == b"whole"
    with pytest.raises(ImageTooLargeError):
        store.take("uploads/a", max_bytes=4)


def test_another_store_on_the_same_folder_believes_the_permit(tmp_path: Path) -> None:
    form = FolderStore(tmp_path).offer("uploads/a", content_type="b", max_bytes=1, now_us=NOW_US)
    token = form.fields[TOKEN_FIELD]
    assert FolderStore(tmp_path).permit(token, now_us=NOW_US).name == "uploads/a"
    with pytest.raises(UploadNotFoundError):
        FolderStore(tmp_path / "elsewhere").permit(token, now_us=NOW_US)


def test_an_offer_removes_what_is_older_than_a_day(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with store.writing(permit_of(store)) as file:
        file.write(b"old")
    permit_of(store)
    assert store.take("uploads/a", max_bytes=10) == b"old"
    day_ago_s = NOW_US / 1_000_000 - KEEP_S - 1
    os.utime(tmp_path / "uploads" / "a", (day_ago_s, day_ago_s))
    permit_of(store)
    with pytest.raises(UploadNotFoundError):
        store.take("uploads/a", max_bytes=10)


def test_the_secret_is_the_owners_alone(tmp_path: Path) -> None:
    permit_of(FolderStore(tmp_path))
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnavailableError):
        permit_of(FolderStore(tmp_path / "file"))


@pytest.mark.parametrize(
    "name", ["secret", "../secret", "uploads", "uploads/../secret", "uploads/a/b", "/etc/passwd"]
)
def test_no_name_leads_out_of_the_uploads(name: str, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    permit_of(store)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UploadNotFoundError):
        store.take(name, max_bytes=1000)
    with pytest.raises(UploadNotFoundError), store.writing(Permit(name, "a/b", 9, NOW_US)) as file:
        file.write(b"out")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_upload_is_its_owners_alone_on_the_machine(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with store.writing(permit_of(store)) as file:
        file.write(b"photo")
    assert (tmp_path / "uploads" / "a").stat().st_mode & 0o777 == 0o600
