"""After the first Ctrl-C, a batch starts no further photo; the second Ctrl-C stops the program."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from types import FrameType

EXIT_INTERRUPTED = 130
"""The exit code after SIGINT: 128 + 2."""


@contextmanager
def stop_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C set `stop`; a second Ctrl-C raises KeyboardInterrupt as usual.

    After the first Ctrl-C, results that an API has charged are still received and written.
    """
    before = signal.getsignal(signal.SIGINT)

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interruptible(context: click.Context, stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C set `stop`, and exit with code 130 at the end; a second Ctrl-C exits immediately.

    Raises:
        click.ClickException: a file or folder cannot be read or written.

    """
    try:
        with stop_on_interrupt(stop):
            yield
    except KeyboardInterrupt:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_INTERRUPTED)  # do not wait for running transfers
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        message = f"{place}{error.strerror or error}"
        raise click.ClickException(message) from error
    if stop.is_set():
        context.exit(EXIT_INTERRUPTED)
