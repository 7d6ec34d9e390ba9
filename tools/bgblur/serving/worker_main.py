"""The main function of a worker process: build a handler, and call it for one request at a time."""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import closing, suppress
from multiprocessing import connection, current_process, parent_process
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from bgblur.serving.object_worker import ObjectTask, open_object_worker
from bgblur.serving.proxy_events import InvocationContext, RecordedHandler
from blur.accounts.connect import open_account_store
from blur.accounts.lost_calls import StartedCall, refund_lost_call
from blur.app import build_app, import_engine
from blur.clock import now
from blur.imaging.matting.models import ModelError

if TYPE_CHECKING:
    from ctypes import c_bool
    from multiprocessing.connection import Connection

    from blur.settings import Settings

LOGGER = logging.getLogger(__name__)
READY = "ready"
"""Sent once, after the worker has built the handler."""
ACCEPTED = "accepted"
"""Sent for each request before work on it begins, and after each refund of a lost call."""
STOP = None
"""Received instead of a request when the server stops."""
WORKER_NICE = 5
"""The `nice` value of a worker is larger by this number than the front process's value, so that the
front process stays fast."""


class StartError(RuntimeError):
    """A worker process cannot start; the message has the reason. The exception can be pickled."""


def run(
    messages: Connection, is_client_connected: c_bool, settings: Settings, *, opens_model: bool
) -> None:
    """Build the handler, then handle requests until `STOP` arrives.

    An exception ends the process; the server then starts another worker process.
    """
    init_worker()
    try:
        engine = import_engine(settings) if opens_model else None
        handler = RecordedHandler(
            lambda observe: build_app(
                settings,
                opens_model=opens_model,
                on_lambda=False,
                observe=observe,
                on_start=messages.send,
                engine=engine,
            )
        )
        objects = open_object_worker(settings, engine) if engine else None
    except (ImportError, ModelError, ValueError) as error:
        messages.send(StartError(str(error)))
        return
    messages.send(READY)
    with suppress(EOFError):  # raised when the front process has ended
        while (message := messages.recv()) is not STOP:
            if isinstance(message, ObjectTask) and objects:
                objects.process(message, messages.send)
                continue
            if isinstance(message, StartedCall):
                refund_or_log(settings, message)
                messages.send(ACCEPTED)
                continue
            messages.send(ACCEPTED)
            request, left_ms = message
            context = InvocationContext(left_ms, lambda: bool(is_client_connected.value))
            messages.send(handler(request, context))


def refund_or_log(settings: Settings, call: StartedCall) -> None:
    """Refund a call whose process has ended; if this is not possible, its hold expires."""
    try:
        with closing(open_account_store(settings.accounts)) as store:
            refund_lost_call(store, call, now_us=now())
    except Exception:  # the worker must continue: requests wait for it
        LOGGER.exception("the call of a failed worker is refunded only when its hold expires")


def init_worker() -> None:
    """Ignore the server's stop signals, lower the priority, and exit when the server exits."""
    with suppress(OSError):  # Linux: `ps` and `top` show the name
        Path("/proc/self/comm").write_text(current_process().name)
    if hasattr(os, "nice"):  # Windows has no `os.nice`
        os.nice(WORKER_NICE)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        sys.stdout.flush()
        os._exit(1)
