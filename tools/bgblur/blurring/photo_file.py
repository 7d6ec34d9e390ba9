"""Read photos: only regular files, and only up to a size limit.

A pipe blocks the reader until another program writes to it, and a device such as /dev/zero never
ends. A folder of photos can contain both.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MAX_PHOTO_BYTES = 410_000_000
"""Enough for an uncompressed photo of 50 megapixels with 8 bytes per pixel (16-bit RGBA)."""


def read_photo(path: Path) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        OSError: the file is not a regular file, is too large, or cannot be read.

    """
    require_regular(path.stat())  # check first, because opening a device can have side effects
    with open(path, "rb", opener=_open_without_waiting) as file:
        require_regular(os.fstat(file.fileno()))
        return read_bounded(file)


def read_bounded(file: BinaryIO) -> bytes:
    """Return the rest of the file.

    Raises:
        OSError: the file is larger than `MAX_PHOTO_BYTES`.

    """
    data = file.read(MAX_PHOTO_BYTES + 1) or b""
    if len(data) > MAX_PHOTO_BYTES:
        message = f"larger than the limit of {MAX_PHOTO_BYTES // 1_000_000} MB"
        raise OSError(errno.EFBIG, message)
    return data


def require_regular(status: os.stat_result) -> None:
    """Require a regular file.

    Raises:
        OSError: the file is a pipe, a device, a socket or a folder.

    """
    if not stat.S_ISREG(status.st_mode):
        raise OSError(
            errno.EINVAL, "not a regular file; to read from a pipe, use - as the file name"
        )


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
