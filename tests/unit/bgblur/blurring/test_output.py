from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bgblur.blurring.output import require_writable, would_replace, write


def test_a_result_is_written_into_new_folders_and_its_permissions_follow_the_umask(
    tmp_path: Path,
) -> None:
    target = tmp_path / "new" / "folder" / "result.png"
    mask = os.umask(0o027)
    try:
        write(target, b"complete", overwrite=False)
    finally:
        os.umask(mask)
    assert target.read_bytes() == b"complete"
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(target.parent.iterdir()) == [target]


def test_an_existing_file_is_replaced_only_with_overwrite(tmp_path: Path) -> None:
    target = tmp_path / "result.png"
    target.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write(target, b"new", overwrite=False)
    assert target.read_bytes() == b"old"
    write(target, b"new", overwrite=True)
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_without_hard_links_a_new_file_is_written_and_an_existing_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(_source: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "result.png"
    write(target, b"first", overwrite=False)
    with pytest.raises(FileExistsError):
        write(target, b"second", overwrite=False)
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupted_write_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_source: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "result.png", b"half", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_link_counts_as_an_existing_file(tmp_path: Path) -> None:
    link = tmp_path / "result.png"
    link.symlink_to(tmp_path / "gone")
    circle = tmp_path / "circle.png"
    circle.symlink_to(circle)
    assert would_replace(circle)
    assert would_replace(link)
    with pytest.raises(FileExistsError):
        write(link, b"new", overwrite=False)


def test_a_folder_without_write_permission_is_reported_before_a_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_writable(tmp_path / "new" / "folder" / "result.png")
    require_writable(Path(os.devnull))
    asked: list[object] = []

    def deny(path: object, _: int) -> bool:  # root can write to each folder
        asked.append(path)
        return False

    monkeypatch.setattr(os, "access", deny)
    with pytest.raises(PermissionError):
        require_writable(tmp_path / "new" / "result.png")
    assert asked == [tmp_path]


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    null = Path(os.devnull)
    assert not would_replace(null)
    write(null, b"away with it", overwrite=True)
    link = tmp_path / "link"
    link.symlink_to(null)
    assert not would_replace(link)
    write(link, b"away with it", overwrite=True)
    assert link.is_symlink()
    assert null.is_char_device()
