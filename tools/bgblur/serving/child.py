"""What a child process of the server does: it calls the handler on one request at a time.

The functions here are named by the parent and run in the child; `_handler` is the child's.
"""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing import connection, parent_process
from threading import Thread
from typing import TYPE_CHECKING

from bgblur.serving.proxy import InvocationContext, from_answer, to_event
from blur.handler import build
from blur.imaging.matting.session import ModelMissingError

if TYPE_CHECKING:
    from bgblur.serving.proxy import Reply, Request
    from blur.api.app import App
    from blur.settings import Settings

_handler: App | None = None


class StartError(RuntimeError):
    """The handler cannot be built; the message says why. It survives being sent to the parent."""


NICER = 5
"""How much the parent goes before: it has little to do, and answers at once if it may."""


def settle_in() -> None:
    """Leave signals to the parent, let it go first, and end when it does, however it ends."""
    os.nice(NICER)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_end_with_the_parent, daemon=True).start()


def start(settings: Settings) -> int:
    """Build the handler and return this process's id.

    Raises:
        StartError: the model is missing, or a setting names something that is not there.

    """
    global _handler  # noqa: PLW0603 - one process, one handler, as in Lambda
    try:
        _handler = build(settings, with_metrics=False)
    except (ModelMissingError, ValueError) as error:
        raise StartError(str(error)) from None
    return os.getpid()


def answer(request: Request, left_ms: int) -> Reply:
    """Call the handler; `left_ms` is the time until the parent ends this process."""
    if _handler is None:
        message = "the handler was not built"
        raise StartError(message)
    return from_answer(_handler(to_event(request), InvocationContext(left_ms)))


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        sys.stdout.flush()
        os._exit(1)
