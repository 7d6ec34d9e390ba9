"""Uploads in a folder."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from blur.errors import (
    IdempotencyInProgressError,
    ImageTooLargeError,
    UnavailableError,
    UploadNotFoundError,
)
from blur.storage.folder import HOUR_S, MAX_UPLOAD_AGE_S, TOKEN_FIELD, FolderStore
from blur.storage.folder_secrets import SECRET_BYTES
from blur.storage.upload_token import UploadToken

NOW_US = time.time_ns() // 1000


def signed_by(store: FolderStore) -> str:
    form = store.presign_upload("uploads/a", content_type="b/c", max_bytes=1, now_us=NOW_US)
    return form.fields[TOKEN_FIELD]


def token_of(store: FolderStore, now_us: int = NOW_US) -> UploadToken:
    form = store.presign_upload("uploads/a", content_type="image/png", max_bytes=10, now_us=now_us)
    return store.verify_token(form.fields[TOKEN_FIELD], now_us=now_us)


def put(store: FolderStore, data: bytes, now_us: int = NOW_US) -> None:
    with store.writing(token_of(store, now_us)) as file:
        file.write(data)


def test_only_complete_uploads_can_be_read(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    token = token_of(store)
    with pytest.raises(UploadNotFoundError):
        store.get("uploads/a", max_bytes=10)
    with pytest.raises(ZeroDivisionError), store.writing(token) as file:
        file.write(bytes([1 // 0]))
    assert not list(tmp_path.glob("uploads/*/*"))
    with store.writing(token) as file:
        file.write(b"whole")
    assert store.get("uploads/a", max_bytes=10) == b"whole"
    with pytest.raises(ImageTooLargeError):
        store.get("uploads/a", max_bytes=4)


def test_an_upload_token_is_valid_only_for_the_folder_of_its_form(tmp_path: Path) -> None:
    form = FolderStore(tmp_path).presign_upload(
        "uploads/a", content_type="b", max_bytes=1, now_us=NOW_US
    )
    token = form.fields[TOKEN_FIELD]
    assert FolderStore(tmp_path).verify_token(token, now_us=NOW_US).name == "uploads/a"
    with pytest.raises(UploadNotFoundError):
        FolderStore(tmp_path / "other").verify_token(token, now_us=NOW_US)


def test_an_upload_is_removed_at_most_25_hours_after_its_form_was_signed(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    put(store, b"old")
    store.sweep(now_us=NOW_US + MAX_UPLOAD_AGE_S * 1_000_000)
    assert store.get("uploads/a", max_bytes=10) == b"old"
    store.sweep(now_us=NOW_US + (MAX_UPLOAD_AGE_S + HOUR_S) * 1_000_000)
    with pytest.raises(UploadNotFoundError):
        store.get("uploads/a", max_bytes=10)
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_sweep_keeps_unknown_folders_and_accepts_a_missing_folder(tmp_path: Path) -> None:
    FolderStore(tmp_path / "nowhere").sweep(now_us=NOW_US)
    (tmp_path / "uploads" / "0000-notes").mkdir(parents=True)
    FolderStore(tmp_path).sweep(now_us=NOW_US)
    assert (tmp_path / "uploads" / "0000-notes").exists()


def test_uploads_from_earlier_versions_are_moved_and_later_removed(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    expired_s = MAX_UPLOAD_AGE_S + 60
    for name, age_s in (("a", 60), ("b", expired_s), ("part-c", expired_s), ("part-d", 60)):
        (uploads / name).write_bytes(name.encode())
        os.utime(uploads / name, (NOW_US / 1_000_000 - age_s,) * 2)
    assert store.get("uploads/a", max_bytes=10) == b"a"
    store.sweep(now_us=NOW_US)
    assert store.get("uploads/a", max_bytes=10) == b"a"
    assert [path.name for path in uploads.iterdir() if path.is_file()] == ["part-d"]
    with pytest.raises(UploadNotFoundError):
        store.get("uploads/b", max_bytes=10)
    store.sweep(now_us=NOW_US + (MAX_UPLOAD_AGE_S + HOUR_S) * 1_000_000)
    assert list(uploads.iterdir()) == []


def counted_calls(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> dict[str, int]:
    """Return the number of calls of some functions of `os`, and of the names that they list."""
    counts: Counter[str] = Counter()

    def counting(name: str) -> Callable[..., Any]:
        original = getattr(os, name)

        def counted(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any arguments of `os`
            counts[name] += 1
            result = original(*arguments, **options)
            if name == "listdir":
                counts["names"] += len(result)
            return result

        return counted

    class Entries:
        def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - any arguments of `os`
            counts["scandir"] += 1
            self._entries = scandir(*arguments)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._entries.close()

        def __iter__(self) -> Iterator[Any]:
            for entry in self._entries:
                counts["names"] += 1
                yield entry

    scandir = os.scandir
    with monkeypatch.context() as patch:
        for name in ("listdir", "stat", "lstat", "open", "unlink"):
            patch.setattr(os, name, counting(name))
        patch.setattr(os, "scandir", Entries)
        work()
    return dict(counts)


def test_signing_a_form_and_reading_an_upload_do_not_list_the_stored_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    put(store, b"first")

    def work() -> None:
        token_of(store)
        assert store.get("uploads/a", max_bytes=10) == b"first"

    few = counted_calls(monkeypatch, work)
    [hour] = (tmp_path / "uploads").iterdir()
    for number in range(10_000):
        (hour / f"{number:064x}").touch()
    assert counted_calls(monkeypatch, work) == few
    assert few["names"] == 5  # the names `secret` and `uploads` are read twice, `hour.name` once


def test_only_one_upload_at_a_time_can_use_a_token(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    token = token_of(store)
    with store.writing(token) as file:
        file.write(b"first")
        with pytest.raises(IdempotencyInProgressError) as caught, store.writing(token):
            pass
        assert caught.value.retry_after_s == 5
        assert len(list(tmp_path.glob("uploads/*/*"))) == 1
        other = UploadToken("uploads/b", "image/png", 10, token.expires_us)
        with store.writing(other) as second:
            second.write(b"other")
    assert store.get("uploads/a", max_bytes=10) == b"first"
    with store.writing(token) as file:
        file.write(b"second")
        file.flush()
        assert store.get("uploads/a", max_bytes=10) == b"first"
    assert store.get("uploads/a", max_bytes=10) == b"second"


def test_an_upload_that_fails_can_be_sent_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    token = token_of(store)
    with pytest.raises(ZeroDivisionError), store.writing(token) as file:
        file.write(bytes([1 // 0]))
    put(store, b"again")
    assert store.get("uploads/a", max_bytes=10) == b"again"


def test_only_the_owner_of_the_secret_file_can_read_it(tmp_path: Path) -> None:
    token_of(FolderStore(tmp_path))
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_the_newest_secret_signs_tokens_and_each_secret_verifies_them(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    before = signed_by(store)
    (tmp_path / "secret-2027").write_bytes(b"2" * SECRET_BYTES)
    after = signed_by(store)
    assert store.verify_token(before, now_us=NOW_US) == store.verify_token(after, now_us=NOW_US)
    (tmp_path / "secret").unlink()
    assert store.verify_token(after, now_us=NOW_US)
    with pytest.raises(UploadNotFoundError):
        store.verify_token(before, now_us=NOW_US)


@pytest.mark.parametrize("incomplete", [b"", b"1" * (SECRET_BYTES - 1)])
def test_an_empty_or_too_short_secret_is_not_used(incomplete: bytes, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    before = signed_by(store)
    (tmp_path / "secret-2027").write_bytes(incomplete)
    assert signed_by(store) == before
    (tmp_path / "secret").unlink()
    (tmp_path / "secret-2027").rename(tmp_path / "secret")
    with pytest.raises(UnavailableError):
        signed_by(store)


def test_the_storage_is_unavailable_if_the_path_of_its_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnavailableError):
        token_of(FolderStore(tmp_path / "file"))


@pytest.mark.parametrize(
    "name", ["secret", "../secret", "uploads", "uploads/../secret", "uploads/a/b", "/etc/passwd"]
)
def test_a_name_that_is_not_the_name_of_an_upload_is_rejected(name: str, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    token_of(store)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UploadNotFoundError):
        store.get(name, max_bytes=1000)
    with (
        pytest.raises(UploadNotFoundError),
        store.writing(UploadToken(name, "a/b", 9, NOW_US)) as file,
    ):
        file.write(b"out")
    assert sorted(tmp_path.rglob("*")) == before


def test_only_the_owner_can_read_an_upload(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with store.writing(token_of(store)) as file:
        file.write(b"photo")
    [path] = tmp_path.glob("uploads/*/a")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
