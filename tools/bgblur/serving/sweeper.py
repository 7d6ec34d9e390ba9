"""Remove expired uploads in a thread: at the server's start and every ten minutes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from blur.clock import now
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from blur.storage.folder import FolderStore

SWEEP_EVERY_S = 600
LOGGER = logging.getLogger(__name__)


@contextmanager
def sweeping(folder: FolderStore | None, *, every_s: float = SWEEP_EVERY_S) -> Iterator[None]:
    """Sweep the folder, if it is not None, until the context ends."""
    if folder is None:
        yield
        return
    stopped = threading.Event()
    # A daemon thread, so that a stopping server does not wait for it.
    threading.Thread(target=_sweep, args=(folder, stopped, every_s), daemon=True).start()
    try:
        yield
    finally:
        stopped.set()


def _sweep(folder: FolderStore, stopped: threading.Event, every_s: float) -> None:
    while not stopped.is_set():
        try:
            folder.sweep(now_us=now())
        except UnavailableError as error:
            LOGGER.warning("expired uploads cannot be removed: %s", error.__cause__)
        stopped.wait(every_s)
