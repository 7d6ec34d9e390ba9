"""Remove expired files in a thread: at the server's start and every ten minutes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from blur.clock import now
from blur.errors import UnavailableError

SWEEP_EVERY_S = 600
LOGGER = logging.getLogger(__name__)


class Swept(Protocol):
    """A folder with files that expire."""

    def sweep(self, *, now_us: int) -> None:
        """Remove expired files; raise `UnavailableError` if the disk fails."""


@contextmanager
def sweeping(folders: Sequence[Swept], *, every_s: float = SWEEP_EVERY_S) -> Iterator[None]:
    """Remove expired files from the folders, at intervals, until the context ends."""
    if not folders:
        yield
        return
    stopped = threading.Event()
    # A daemon thread, so that a stopping server does not wait for the thread.
    threading.Thread(target=_sweep, args=(folders, stopped, every_s), daemon=True).start()
    try:
        yield
    finally:
        stopped.set()


def _sweep(folders: Sequence[Swept], stopped: threading.Event, every_s: float) -> None:
    while not stopped.is_set():
        for folder in folders:
            try:
                folder.sweep(now_us=now())
            except UnavailableError as error:
                LOGGER.warning("expired files cannot be removed: %s", error.__cause__)
            except Exception:  # otherwise no file would be removed before the next start
                LOGGER.exception("expired files cannot be removed")
        stopped.wait(every_s)
