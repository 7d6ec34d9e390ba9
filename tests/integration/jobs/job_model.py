"""The model of a job, which the stores are compared with: its objects, holds and charges."""

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
    """A delivery whose worker has reserved the price."""

    source: str
    hold: Hold
    server: int


@dataclass
class Expected:
    """An object in the model."""

    row: ObjectState | None = None
    charged: Credits = ZERO
    price: Credits = ZERO
    """Of its hold."""
    held_us: Instant | None = None
    """When the hold was taken or extended; None without one."""

    def is_held(self, now_us: Instant) -> bool:
        """Return whether the hold has neither ended nor expired."""
        return self.held_us is not None and now_us - self.held_us < TTL_US


@dataclass
class ExpectedJob:
    """The job in the model."""

    state: JobState = JobState.OPEN
    is_over: bool = False
    listed: int = 0
    objects: dict[str, Expected] = field(
        default_factory=lambda: {source: Expected() for source in SOURCES}
    )

    def number(self, *states: ObjectState) -> int:
        """Return the number of rows with these states, or of all rows."""
        rows = [each.row for each in self.objects.values() if each.row]
        return sum(row in states for row in rows) if states else len(rows)

    @property
    def ended(self) -> int:
        """Return the number of final rows."""
        return self.number() - self.number(ObjectState.WAITING)
