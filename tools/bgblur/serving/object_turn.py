"""A turn of a worker process with the objects of jobs: it claims the next one and runs it.

The worker claims the object itself, so that the front process gives a turn only to a worker that no
request needs at this moment, and never waits for the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from blur.clock import now
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from blur.accounts.model import Instant
    from blur.jobs.model import JobObject
    from blur.jobs.runner import ObjectRunner


@dataclass(frozen=True, slots=True)
class ObjectTurn:
    """The message that gives a turn to a worker."""

    lease_s: float
    """How long no other worker can claim the object."""
    left_ms: int
    """The time until the worker is killed."""


class Claims(Protocol):
    """The waiting objects: `blur.jobs.sqlite.job_store.SqliteJobStore`."""

    def claim_object(self, *, now_us: Instant, lease_s: float) -> JobObject | None:
        """Return the next object, which no other worker gets until the lease ends."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectWorker:
    """Takes turns in a worker process."""

    queue: Claims
    runner: ObjectRunner

    def take_turn(self, turn: ObjectTurn, send: Callable[[object], None]) -> None:
        """Send the claimed object and then the outcome, or None if no object can start now."""
        claimed = self._claim(turn)
        send(claimed)
        if claimed is not None:
            send(self._run(claimed, turn.left_ms))

    def _claim(self, turn: ObjectTurn) -> JobObject | None:
        try:
            return self.queue.claim_object(now_us=now(), lease_s=turn.lease_s)
        except UnavailableError:
            return None

    def _run(self, claimed: JobObject, left_ms: int) -> object:
        return self.runner.run(
            claimed.job_id, claimed.source, attempt=claimed.attempts, left_ms=left_ms
        )
