"""Write, list and remove files in the storage's folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from blur.errors import UnavailableError


@contextmanager
def replacing(
    path: Path, *, part_in: Path, prefix: str, durable: bool = False
) -> Iterator[BinaryIO]:
    """Yield a temporary file in `part_in`, and rename the file to `path` at the end of the context.

    After an error, the temporary file is removed, and the file at `path` does not change.
    With `durable`, the file is not lost if the power fails after the end of the context.
    """
    descriptor, part = tempfile.mkstemp(dir=part_in, prefix=prefix)  # the file has mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(descriptor)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents with mode 0700, and write them to the disk."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True, mode=0o700)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder, which name its files, to the disk."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def entries_of(folder: Path) -> list[Path]:
    """Return the paths in a folder; an empty list if the folder does not exist."""
    with suppress(FileNotFoundError):
        return list(folder.iterdir())
    return []


def changed_us(path: Path) -> int:
    """Return when a file or folder was last changed, in microseconds since 1970; 0 if missing."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime_ns // 1000
    return 0


def remove_each(paths: Iterable[Path]) -> None:
    """Remove files and folders; if one of them cannot be removed, continue with the next.

    Other processes can remove the same files and folders at the same time.

    Raises:
        OSError: a file or folder cannot be removed.
    """
    failure: OSError | None = None
    for path in paths:
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue
        except OSError as error:
            failure = error
    if failure:
        raise failure


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn disk errors into UnavailableError."""
    try:
        yield
    except OSError as error:
        message = "The storage has failed. Nothing was charged; try again."
        raise UnavailableError(message, retry_after_s=1) from error
