"""A photo to send: a path, bytes or an open file. Each attempt reads the photo from the start."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

PhotoInput: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the file's bytes, or a file that is open for reading in binary mode."""

HEAD_BYTES = 256
SIGNATURES = (
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"WEBP", 8, "image/webp"),
    (b"GIF8", 0, "image/gif"),
    (b"BM", 0, "image/bmp"),
    (b"II", 0, "image/tiff"),
    (b"MM", 0, "image/tiff"),
    (b"ftyp", 4, "image/heic"),
)
"""The signature of each format, its offset, and the media type to declare for an upload."""
AVIF_BRANDS = (b"avif", b"avis")
"""The brands of AVIF files (ISO/IEC 14496-12, 4.3); files with other brands are HEIC."""


class Photo:
    """A photo to send, which can be opened again for each attempt."""

    def __init__(self, source: PhotoInput) -> None:
        """Keep a path, bytes or a seekable file; read a stream that is not seekable into memory.

        Raises:
            OSError: the file does not exist, is not a regular file, or cannot be read.

        """
        self.name = _name_of(source)
        self._file: BinaryIO | None = None
        self._start = 0
        self._bytes_or_path: bytes | Path
        if isinstance(source, bytes):
            self._bytes_or_path = source
        elif isinstance(source, (str, os.PathLike)):
            self._bytes_or_path = Path(source)
        elif source.seekable():
            self._file, self._start = source, source.tell()
        else:
            self._bytes_or_path = source.read()
        with self.open() as file:
            self.content_type = media_type(file.read(HEAD_BYTES))
            file.seek(0, os.SEEK_END)
            self.size_bytes = file.tell() - self._start

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the photo at its start; the caller's own file is not closed."""
        if self._file is not None:
            self._file.seek(self._start)
            yield self._file
        elif isinstance(self._bytes_or_path, bytes):
            yield io.BytesIO(self._bytes_or_path)
        else:
            with _open_regular(self._bytes_or_path) as file:
                yield file


@contextmanager
def _open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file.

    Opening a pipe would wait for its writer, and a device such as /dev/zero has no end.
    """
    _require_regular(path.stat())  # check first, because opening a device can have side effects
    with open(path, "rb", opener=_open_without_waiting) as file:
        _require_regular(os.fstat(file.fileno()))
        yield file


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file; open a pipe yourself and pass the stream")


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def media_type(head: bytes) -> str | None:
    """Return the media type that the first bytes indicate, or None."""
    for signature, at, name in SIGNATURES:
        if head.startswith(signature, at):
            is_avif = name == "image/heic" and any(brand in head for brand in AVIF_BRANDS)
            return "image/avif" if is_avif else name
    return None


def _name_of(source: PhotoInput) -> str:
    """Return the file name to send, without the folder and without unsafe characters."""
    path = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", "")
    name = Path(path).name if isinstance(path, (str, os.PathLike)) else ""
    safe = "".join(letter for letter in name if letter.isprintable() and letter not in '"\\')
    return safe.encode("ascii", "replace").decode().replace("?", "_") or "photo"
