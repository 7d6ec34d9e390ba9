"""A call in the model of the ledger. The tests compare the stores with the model."""

from __future__ import annotations

from dataclasses import dataclass

from tests.integration.accounts.customer import START

from blur.accounts.hold_states import HoldState
from blur.accounts.model import SECOND_US, Hold, Instant

REMEMBERED_US = 15 * SECOND_US
"""The time for which a store remembers an ended call. All late copies of its writes arrive within
this time."""


@dataclass
class Call:
    """A call, as this test's own ledger records it."""

    hold: Hold
    server: int
    state: HoldState = HoldState.HELD
    ended_us: Instant = START
    """The time when the call was settled or refunded, by the first server's clock; START if the
    hold expired."""

    def is_remembered(self, now_us: Instant) -> bool:
        """Return whether each store under test still has the call's hold or its tombstone."""
        return self.state is HoldState.HELD or now_us - self.ended_us <= REMEMBERED_US
