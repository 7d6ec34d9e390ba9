from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bgblur.blurring import photo_file
from bgblur.blurring.output import write
from bgblur.blurring.photo_file import read_photo
from blur_client.source import Photo


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("make", [pipe, device, unix_socket, Path.mkdir])
def test_only_regular_files_are_read(make: object, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    assert callable(make)
    make(path)
    with pytest.raises(OSError, match="not a regular file"):
        read_photo(path)
    with pytest.raises(OSError, match="not a regular file"):
        Photo(path)


def test_a_symbolic_link_to_a_photo_is_read(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"bytes")
    (tmp_path / "link").symlink_to("photo")
    assert read_photo(tmp_path / "link") == b"bytes"
    assert Photo(tmp_path / "link").size_bytes == 5


def test_a_file_that_is_larger_than_the_limit_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo"
    monkeypatch.setattr(photo_file, "MAX_PHOTO_BYTES", 2_000_000)
    path.write_bytes(b"x" * 2_000_000)
    assert len(read_photo(path)) == 2_000_000
    path.write_bytes(b"x" * 2_000_001)
    with pytest.raises(OSError, match="larger than the limit of 2 MB"):
        read_photo(path)


def test_writing_to_a_pipe_without_a_reader_fails_immediately(tmp_path: Path) -> None:
    pipe(tmp_path / "result")
    with pytest.raises(OSError, match="No such device"):
        write(tmp_path / "result", b"data", overwrite=False)
