"""Run the keeper, which resumes, ends and announces jobs, in a thread until the server stops."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blur.errors import UnavailableError

KEEP_EVERY_S = 2
"""The time between two runs of the keeper."""
KEEP_RUN_S = 10
"""After this time, a run handles no further job, and sends the notifications that are due."""
LOGGER = logging.getLogger(__name__)


@contextmanager
def keeping(run: Callable[[], None] | None, *, every_s: float = KEEP_EVERY_S) -> Iterator[None]:
    """Call `run` at intervals until the context ends. If `run` is None, do nothing."""
    if run is None:
        yield
        return
    stopped = threading.Event()
    # A daemon thread, so that a stopping server does not wait for a slow notification.
    threading.Thread(target=_keep, args=(run, stopped, every_s), daemon=True).start()
    try:
        yield
    finally:
        stopped.set()


def _keep(run: Callable[[], None], stopped: threading.Event, every_s: float) -> None:
    is_available = True
    while not stopped.wait(every_s):
        try:
            run()
            is_available = True
        except UnavailableError as error:
            if is_available:
                LOGGER.warning("the jobs cannot be read: %s", error.__cause__)
            is_available = False
        except Exception:
            LOGGER.exception("the keeper, which resumes and ends jobs, has failed")
