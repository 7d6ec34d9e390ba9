"""Write results to disk: completely or not at all, without replacing files by accident."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


def would_replace(target: Path) -> bool:
    """Return whether writing would replace a file; a device or a pipe is not replaced.

    Raises:
        OSError: the path cannot be examined, for example because the name is too long.

    """
    try:
        kind = target.stat().st_mode
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP}:
            return target.is_symlink()  # a broken or a circular link
        raise
    return stat.S_ISREG(kind) or stat.S_ISDIR(kind)


def require_writable(target: Path) -> None:
    """Require that `write` can create the file, as far as this is known before the file exists.

    Raises:
        OSError: a name in the path is too long, or the folder does not allow new files.

    """
    if target.exists() and not would_replace(target):
        return
    missing, folder = [target.name], target.parent
    while not folder.exists():
        missing.append(folder.name)
        folder = folder.parent
    for name in missing:
        with suppress(FileNotFoundError):
            (folder / name).lstat()
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def write(target: Path, data: bytes, *, overwrite: bool, mode: int = 0o666) -> None:
    """Write the file under a temporary name and rename it when it is complete.

    The user's umask applies to `mode`.

    Raises:
        FileExistsError: the file exists, and `overwrite` is false.
        OSError: the file cannot be written.

    """
    if target.exists() and not would_replace(target):
        _write_stream(target, data)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, mode)) as file:
            file.write(data)
        if overwrite:
            temporary.replace(target)
        else:
            rename_without_replacing(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _write_stream(target: Path, data: bytes) -> None:
    """Write to a device or a pipe; fail immediately if the pipe has no reader."""

    def open_without_waiting(path: str, flags: int) -> int:
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(descriptor, True)
        return descriptor

    with open(target, "wb", opener=open_without_waiting) as file:
        file.write(data)


def rename_without_replacing(temporary: Path, target: Path) -> None:
    """Rename a file unless the target exists, atomically if the file system has hard links."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        if would_replace(target):
            raise FileExistsError(target) from None
        temporary.replace(target)
