"""A model of a job: objects, holds and charges. The tests compare the stores with the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.integration.accounts.customer import TTL_US

from blur.credits import ZERO, Credits
from blur.jobs.model import JobState, ObjectState

if TYPE_CHECKING:
    from blur.accounts.model import Hold, Instant

SOURCES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")


@dataclass(frozen=True)
class Attempt:
    """The delivery of an object to a worker, which has reserved the object's price."""

    source: str
    hold: Hold
    server: int


@dataclass
class Expected:
    """The state of an object that the model expects."""

    row: ObjectState | None = None
    charged: Credits = ZERO
    price: Credits = ZERO
    """The price in the object's hold."""
    held_us: Instant | None = None
    """The time when the hold was taken or extended; None without a hold."""

    def is_held(self, now_us: Instant) -> bool:
        """Return whether the hold has neither ended nor expired."""
        return self.held_us is not None and now_us - self.held_us < TTL_US


@dataclass
class ExpectedJob:
    """The state of the job that the model expects."""

    state: JobState = JobState.OPEN
    is_over: bool = False
    listed: int = 0
    objects: dict[str, Expected] = field(
        default_factory=lambda: {source: Expected() for source in SOURCES}
    )

    def number(self, *states: ObjectState) -> int:
        """Return the number of object rows in these states; without states, count all rows."""
        rows = [each.row for each in self.objects.values() if each.row]
        return sum(row in states for row in rows) if states else len(rows)

    @property
    def ended(self) -> int:
        """Return how many photos are done, failed or cancelled."""
        return self.number() - self.number(ObjectState.WAITING)
