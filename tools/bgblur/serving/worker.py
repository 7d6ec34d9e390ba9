"""The server's side of a worker process: the process, a pipe, and a thread that waits for replies.

A worker is used until its first failure. Then the worker is killed, and the pool starts another
worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_bool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

from bgblur.serving import worker_main
from bgblur.serving.object_worker import ObjectTask
from bgblur.serving.worker_main import ACCEPTED, READY, STOP, StartError
from blur.accounts.lost_calls import StartedCall

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from bgblur.serving.object_worker import ObjectTaskResult
    from bgblur.serving.proxy_events import ClientState, Reply, Request
    from blur.jobs.model import JobObject
    from blur.settings import Settings

START_TIMEOUT_S = 300
"""The time limit for building the handler. Building takes about a second, and up to a minute on an
overloaded machine."""
ACCEPT_TIMEOUT_S = 10
"""The time limit for a worker to accept a request or to claim a photo of a job. Both usually take
milliseconds."""
LEASE_MARGIN_S = 10
"""The lease of a photo of a job lasts this much longer than the worker's time limit."""
STOP_TIMEOUT_S = 2
"""The time limit for a process to end after `STOP`."""

# Processes are spawned, not forked: ONNX Runtime's threads and SQLite's connections do not survive
# a fork.
CONTEXT = get_context("spawn")
Value = TypeVar("Value")


class NotAcceptedError(Exception):
    """The worker did not accept the request, so work on it has not started."""


class IdleDeathError(Exception):
    """The process ended while it was idle."""


class Worker:
    """One process with its own handler, which handles one request at a time."""

    def __init__(
        self, settings: Settings, *, name: str, timeout_s: float, opens_model: bool = True
    ) -> None:
        """Keep the handler's settings, and the time limit for one request."""
        self._name = name
        self._settings = settings
        self._timeout_s = timeout_s
        self._opens_model = opens_model
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._process: SpawnProcess | None = None
        self._messages: Connection
        self._is_client_connected: c_bool  # in shared memory
        self._is_busy = False
        self._is_killed = False
        self.unfinished: StartedCall | None = None
        """The call that the process was handling when it failed."""

    async def start(self, lost: StartedCall | None = None) -> None:
        """Start the process and wait until its handler is built; then let it roll back `lost`.

        `lost` is the call that a failed worker was handling, if there is one.

        Raises:
            StartError: the handler cannot be built, or the process cannot be started.

        """
        try:
            await self._in_thread(self._start, START_TIMEOUT_S)
            if lost:
                await self._in_thread(lambda: self._submit(lost), ACCEPT_TIMEOUT_S)
        except StartError:
            raise
        except TimeoutError as error:
            message = "A worker process was not ready in time."
            raise StartError(message) from error
        except Exception as error:
            reason = getattr(error, "strerror", None) or error
            message = f"A worker process cannot be started: {reason}."
            raise StartError(message) from error

    async def respond(self, request: Request, client: ClientState) -> Reply:
        """Return the process's response. After any exception, the caller must kill the worker.

        Raises:
            NotAcceptedError: work has not started; another worker can take the request.
            TimeoutError: no response arrived in time.
            Exception: the process ended, or its response cannot be read.

        """
        self._is_busy = True
        self._is_client_connected.value = not client.disconnected.is_set()
        left_ms = round(self._timeout_s * 1000)
        try:
            await self._in_thread(lambda: self._submit((request, left_ms)), ACCEPT_TIMEOUT_S)
        except Exception as error:
            raise NotAcceptedError(type(error).__name__) from error
        reply = await self._in_thread(self._receive_reply, self._timeout_s)
        self._is_busy = False
        return reply

    async def process_object(
        self, on_claimed: Callable[[JobObject], None]
    ) -> ObjectTaskResult | None:
        """Let the process blur the next photo of a job; return None if no photo can be claimed.

        `on_claimed` is called before work on the photo begins. After any exception, the caller
        must kill the worker.

        Raises:
            TimeoutError: no response arrived in time.
            Exception: the process ended, or its response cannot be read.

        """
        self._is_busy = True
        task = ObjectTask(self._timeout_s + LEASE_MARGIN_S, left_ms=round(self._timeout_s * 1000))
        await self._in_thread(lambda: self._messages.send(task), ACCEPT_TIMEOUT_S)
        claimed: JobObject | None = await self._in_thread(self._messages.recv, ACCEPT_TIMEOUT_S)
        result: ObjectTaskResult | None = None
        if claimed is not None:
            on_claimed(claimed)
            result = await self._in_thread(self._messages.recv, self._timeout_s)
        self._is_busy = False
        return result

    def disconnect_client(self) -> None:
        """Mark the client of the running request as disconnected, for the handler."""
        self._is_client_connected.value = False

    def is_alive(self) -> bool:
        """Return whether the process is running."""
        return self._process is not None and self._process.is_alive()

    def stop(self) -> None:
        """Ask the process to end if it is idle."""
        if not self._is_busy and self.is_alive():
            self._messages.send(STOP)

    def close(self) -> None:
        """Wait up to `STOP_TIMEOUT_S` seconds for an idle process to end; then kill it."""
        if self._process is not None and self.is_alive() and not self._is_busy:
            self._process.join(STOP_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """Kill the process. A thread that waits for the worker's reply gets an error."""
        if self._is_killed:
            return
        self._is_killed = True
        if self._process is not None and self._process.pid is not None:
            self._process.kill()
            self._executor.submit(self._process.join, STOP_TIMEOUT_S)  # so that no zombie is left
        self._executor.shutdown(wait=False)

    async def _in_thread(self, function: Callable[[], Value], timeout_s: float) -> Value:
        async with asyncio.timeout(timeout_s):
            return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    def _start(self) -> None:
        self._messages, others = CONTEXT.Pipe()
        self._is_client_connected = CONTEXT.RawValue(c_bool)
        self._process = CONTEXT.Process(
            name=f"bgblur-{self._name}",
            target=worker_main.run,
            args=(others, self._is_client_connected, self._settings),
            kwargs={"opens_model": self._opens_model},
        )
        with others:
            self._process.start()
        if self._is_killed:  # `kill` was called while the process was starting
            self._process.kill()
        try:
            message = self._messages.recv()
        except EOFError as error:
            text = "A worker process ended while it was starting."
            raise StartError(text) from error
        if message != READY:
            raise message

    def _receive_reply(self) -> Reply:
        while isinstance(message := self._messages.recv(), StartedCall):
            self.unfinished = message
        self.unfinished = None
        reply: Reply = message
        return reply

    def _submit(self, task: object) -> None:
        self._messages.send(task)
        message = self._messages.recv()
        if message != ACCEPTED:
            text = f"expected {ACCEPTED!r} from the worker"
            raise RuntimeError(text)


Work = Callable[[Worker], Awaitable[None]]
"""A function that runs on one worker. It raises an exception if the worker has to be replaced:
`ResponseLostError` if the worker failed after the work had started."""
NextBackgroundWork = Callable[[bool], Work | None]
"""Return background work for an idle worker, if there is any. The argument is true if a request
runs or has just ended, because then more requests are likely."""


def nothing(_: bool) -> None:  # noqa: FBT001 - `NextBackgroundWork` has this signature
    """Return None, because this worker has no background work."""


@dataclass(slots=True, eq=False)
class Call:
    """A waiting or running request, and the future for its reply."""

    request: Request
    account: str
    client: ClientState
    reply: asyncio.Future[Reply]
    latest_start: float
    """The latest time, by the event loop's clock, at which the request can start."""
    worker: Worker | None = None
    """The worker that has the request now."""

    def fail(self, error: Exception) -> None:
        """Set an error as the outcome, unless the call has already ended."""
        if not self.reply.done():
            self.reply.set_exception(error)
