"""A child process as its parent sees it: what an execution environment is to Lambda.

`ProcessPoolExecutor` brings requests there and answers back. It gives up for good when its
process dies, so each environment has an executor of its own, with one process, and replaces it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING

from bgblur.serving import child
from blur.errors import LostError

if TYPE_CHECKING:
    from bgblur.serving.proxy import Reply, Request
    from blur.settings import Settings


class Environment:
    """One process with a handler of its own, which answers one request at a time."""

    def __init__(self, settings: Settings, *, longest_s: float) -> None:
        """Keep what the handler is built from, and how long it may take for one request."""
        self._settings = settings
        self._longest_s = longest_s
        self._pool = _new_pool()
        self._pid = 0

    async def start(self) -> None:
        """Start the process and wait until it could take a request.

        Raises:
            StartError: it cannot; the message says why.

        """
        try:
            self._pid = await asyncio.wrap_future(self._pool.submit(child.start, self._settings))
        except BrokenProcessPool as error:
            message = "the process that should blur photos ended while it started"
            raise child.StartError(message) from error

    async def restart(self) -> None:
        """Replace a process that is gone.

        Raises:
            StartError: the new one does not start.

        """
        self._pool.shutdown(wait=False)
        self._pool = _new_pool()
        await self.start()

    async def answer(self, request: Request) -> Reply:
        """Let the process answer; one that takes too long is ended.

        Raises:
            LostError: it ended without an answer, and has to be restarted.
            StartError: it had ended long before, and the new one does not start.

        """
        if self._has_died():  # while it had nothing to do: nothing is lost yet
            await self.restart()
        left_ms = round(self._longest_s * 1000)
        try:
            async with asyncio.timeout(self._longest_s):
                return await asyncio.wrap_future(self._pool.submit(child.answer, request, left_ms))
        except TimeoutError as error:
            self.kill()
            raise LostError from error
        except BrokenProcessPool as error:
            raise LostError from error

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process once it has answered what it has."""
        self._pool.shutdown()

    def _has_died(self) -> bool:
        """Tell whether the process has ended, before the executor may have noticed."""
        try:
            return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True


def _new_pool() -> ProcessPoolExecutor:
    # Spawned, not forked: ONNX Runtime's threads and SQLite's connections survive no fork.
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=child.settle_in)
