"""Standard input and output: closed streams, and errors of streams and files as messages."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TextIO

import click

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""The errors of a full or failing disk, for which a short message is printed."""


def open_closed_streams() -> None:
    """Open the standard streams that are closed, so that no other file gets their numbers.

    Reading from the opened standard input fails, and writing to the opened standard output fails.
    Text for standard error is discarded.
    """
    # In this order, each file gets the number of the closed stream: the lowest that is free.
    if sys.stdin is None:
        sys.stdin = _open_null(os.O_WRONLY, "r")
    if sys.stdout is None:
        sys.stdout = _open_null(os.O_RDONLY, "w")
    if sys.stderr is None:
        sys.stderr = _open_null(os.O_WRONLY, "w")


def _open_null(flags: int, mode: Literal["r", "w"]) -> TextIO:
    """Open the null device with `flags`, as a file with the methods of `mode`."""
    descriptor = os.open(os.devnull, flags)
    return open(descriptor, mode, encoding="utf-8", errors="replace", closefd=False)


def write_bytes(data: bytes) -> None:
    """Write to standard output.

    Raises:
        OSError: the output cannot be written; the rest of it is discarded.

    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError:
        _discard_output()
        raise


def _discard_output() -> None:
    """Discard the rest of the output, so that Python does not try to write it at exit."""
    with suppress(OSError, io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_stream_error(error: OSError) -> bool:
    """Return whether a closed stream, or a full or failing disk, caused the error."""
    return error.filename is None and error.errno in {*FULL, errno.EBADF}


@contextmanager
def file_errors() -> Iterator[None]:
    """Raise an error with a clear message if a file or a standard stream cannot be used."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            message = f"{error.filename} cannot be used: {error.strerror}"
            raise click.ClickException(message) from error
        if not is_stream_error(error):
            raise
        _discard_output()
        message = "standard input or output is closed"
        if error.errno in FULL:
            message = f"the output cannot be written: {error.strerror}"
        raise click.ClickException(message) from error
