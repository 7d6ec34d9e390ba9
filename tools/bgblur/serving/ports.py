"""Protocols for the parts that the ASGI application uses; tests replace the parts with fakes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from bgblur.serving.body import Message
from blur.api.response_record import ResponseRecord

if TYPE_CHECKING:
    from bgblur.serving.proxy_events import ClientState, Reply, Request
    from blur.accounts.keys import ApiKey
    from blur.accounts.model import Instant
    from blur.jobs.model import Job, JobObject

LOGGER = logging.getLogger(__name__)

Send = Callable[[Message], Awaitable[None]]
ReceiveUpload = Callable[[str, AsyncIterator[bytes]], Awaitable[None]]
"""Receives an upload form, given the request's content type and the chunks of its body, and stores
the form's file; raises `ApiError`."""
Observe = Callable[[ResponseRecord, float], None]
"""Called with the record of each response, and the seconds since the request's head arrived."""


def ignore(_record: ResponseRecord, _seconds: float) -> None:
    """Do nothing."""


def guarded(observe: Observe) -> Observe:
    """Return a function that calls `observe` and logs its errors, so that no response is lost."""

    def observe_or_log(record: ResponseRecord, seconds: float) -> None:
        try:
            observe(record, seconds)
        except Exception:
            LOGGER.exception("%s: the response could not be measured", record.request_id)

    return observe_or_log


class PhotoPool(Protocol):
    """The pool of worker processes for photo requests: `worker_pool.WorkerPool`."""

    def require_slot(self, account: str = "") -> None:
        """Raise `OverloadedError` if the queue has no slot for a request of this account."""

    async def respond(self, request: Request, *, account: str, client: ClientState) -> Reply:
        """Return a worker's response.

        Raises:
            ApiError: the request failed.
            ClientDisconnected: the client disconnected before a worker got the request.

        """
        ...


class Inline(Protocol):
    """The handler of all other requests: `inline.InlineHandler`."""

    async def respond(self, request: Request, *, account: str, client: ClientState) -> Reply:
        """Return the response; raise the same errors as `PhotoPool.respond`."""
        ...


class Keys(Protocol):
    """The keys that the store knows: `known_keys.KnownKeys`."""

    async def require(self, key: ApiKey) -> None:
        """Raise `InvalidApiKeyError` if the store does not have the key."""

    def forget(self, key: ApiKey) -> None:
        """Remove the key, so that the next check asks the store."""

    async def require_store(self) -> None:
        """Raise `UnavailableError` or `OverloadedError` if the store cannot be used for calls."""


class JobQueue(Protocol):
    """The jobs and their waiting photos: `blur.jobs.sqlite.job_store.SqliteJobStore`.

    Each method raises `UnavailableError` if the store fails.
    """

    def find_job(self, job_id: str) -> Job:
        """Return the job; raise `JobNotFoundError` if it does not exist."""
        ...

    def add_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        """Add a waiting photo.

        Return False if the photo is already in the job, or the job has ended.
        """
        ...

    def count_waiting(self) -> int:
        """Return how many photos wait or are being processed, in jobs that are not paused."""
        ...

    def release_object(self, claimed: JobObject, *, retry_us: Instant) -> None:
        """End the lease of a failed attempt, and set the time of the next attempt."""

    def park_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        """End a photo's lease and do not count the attempt; return False if nothing changed."""
        ...


class Connection(Protocol):
    """A request's connection, which `protocol.Protocol` implements."""

    @property
    def address(self) -> str:
        """The client's address."""
        ...

    @property
    def lost(self) -> asyncio.Event:
        """The event that is set when the connection is closed."""
        ...

    @property
    def is_refused(self) -> bool:
        """Whether the protocol has sent an error, so the application must not respond."""
        ...

    def mark_known_key(self) -> None:
        """Record that a request on this connection has a known API key.

        To make space for new connections, the server first closes connections without a known key.
        """

    def watch(self) -> None:
        """Keep reading, to notice when the client disconnects."""

    def mark_responded(self) -> None:
        """Record that the response was sent, so that the server can close this connection.

        Until the next request, the server can close the connection to make space for a new one.
        """

    def abort(self) -> None:
        """Reset the connection; the client does not get the rest of the response."""

    async def linger(self) -> None:
        """Discard the rest of the request while the client reads the response; then disconnect."""
