"""A queue with a limited number of places, called slots, that accounts share.

Slots are shared: one account alone can use all of them. If all slots are taken, an account with few
slots takes a slot from the account with the most slots, so two accounts can each have half of the
slots.

Workers are shared too: the next request is from the account with the fewest running requests. If
several accounts have equally few running requests, the queue chooses the account that has used the
least time since it was last idle. This is start-time fair queueing (Goyal, Vin and Cheng, 1997),
with the measured time of each request instead of an estimate. Requests of one account keep their
order.

After each response, a client that sends one photo after another has no photo in the queue for a
moment. If all workers then started long requests from another account, the client would wait for
one of these requests each time. So the share of the client's account stays reserved for
`KEEP_SHARE_S` seconds (anticipatory scheduling: Iyer and Druschel, 2001).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
KEEP_SHARE_S = 0.5
"""How long an account keeps its share of the workers after its last request."""


@dataclass(slots=True)
class _Share(Generic[Item]):
    """The waiting and running items of one account."""

    waiting: deque[Item] = field(default_factory=deque)
    working: int = 0
    used_s: float = 0.0

    @property
    def slots(self) -> int:
        return len(self.waiting) + self.working


class FairQueue(Generic[Item]):
    """A queue of waiting and running items, together at most `slots`."""

    def __init__(
        self, slots: int, *, workers: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create an empty queue for a pool of `workers`; the clock returns seconds."""
        self._slots = slots
        self._workers = workers
        self._clock = clock
        self._shares: dict[str, _Share[Item]] = {}
        self._last_active_s: dict[str, float] = {}
        """The time when the last item of each idle account finished; oldest first."""

    @property
    def used_slots(self) -> int:
        """Return how many slots are in use."""
        return sum(share.slots for share in self._shares.values())

    @property
    def waiting(self) -> int:
        """Return how many items wait."""
        return sum(len(share.waiting) for share in self._shares.values())

    @property
    def working(self) -> int:
        """Return how many items are running."""
        return sum(share.working for share in self._shares.values())

    @property
    def is_in_use(self) -> bool:
        """Return whether an item waits, runs or has finished in the last `KEEP_SHARE_S` seconds."""
        self._remove_inactive()
        return bool(self._shares or self._last_active_s)

    def has_slot(self, account: str) -> bool:
        """Return whether one more item of this account can be added to the queue."""
        return self.used_slots < self._slots or self._larger_share(account) is not None

    def add(self, account: str, item: Item) -> Item | None:
        """Add an item; if the queue was full, return the waiting item that was removed for it.

        The caller has checked with `has_slot` that the item can be added.
        """
        removed = None
        if self.used_slots >= self._slots and (larger := self._larger_share(account)):
            removed = larger.waiting.pop()
        self._share(account).waiting.append(item)
        return removed

    def pop(self) -> Item | None:
        """Return the next item, which is now running.

        Return None if no item waits, or if each account with waiting items already uses its share
        of the workers. In the second case, call this method again after `KEEP_SHARE_S` seconds.
        """
        most = self._most_workers()
        waiting = [
            name for name, share in self._shares.items() if share.waiting and share.working < most
        ]
        if not waiting:
            return None
        account = min(waiting, key=lambda name: self._order(self._shares[name]))
        share = self._shares.pop(account)
        self._shares[account] = share  # at the end: `min` returns the first of equal accounts
        share.working += 1
        return share.waiting.popleft()

    def put_back(self, account: str, item: Item) -> None:
        """Let a running item wait again, before all other items of its account."""
        self._shares[account].working -= 1
        self._shares[account].waiting.appendleft(item)

    def remove(self, account: str, item: Item) -> bool:
        """Remove an item if it waits; return whether it was removed."""
        share = self._shares.get(account)
        if share is None or item not in share.waiting:
            return False
        share.waiting.remove(item)
        self._deactivate_if_idle(account)
        return True

    def finish(self, account: str, used_s: float) -> None:
        """Free the slot of a running item, which has used a worker for `used_s`."""
        share = self._shares[account]
        share.working -= 1
        share.used_s += used_s
        self._deactivate_if_idle(account)

    def clear(self) -> list[Item]:
        """Remove and return all waiting items."""
        removed = [item for share in self._shares.values() for item in share.waiting]
        for share in self._shares.values():
            share.waiting.clear()
        return removed

    def _share(self, account: str) -> _Share[Item]:
        """Return the account's `_Share`.

        A new `_Share` starts with the smallest `used_s` of all accounts.
        """
        if account not in self._shares:
            self._last_active_s.pop(account, None)
            used_s = min((share.used_s for share in self._shares.values()), default=0.0)
            self._shares[account] = _Share(used_s=used_s)
        return self._shares[account]

    def _most_workers(self) -> int:
        """Return how many workers each active account can use."""
        self._remove_inactive()
        active = len(self._shares) + len(self._last_active_s)
        return math.ceil(self._workers / max(1, active))

    def _remove_inactive(self) -> None:
        kept_since_s = self._clock() - KEEP_SHARE_S
        for account, last_active_s in list(self._last_active_s.items()):
            if last_active_s > kept_since_s:
                break
            del self._last_active_s[account]

    def _larger_share(self, account: str) -> _Share[Item] | None:
        """Return the share that has the most slots of all shares with waiting items.

        Return None unless this share has at least two slots more than `account`.
        """
        shares = [share for share in self._shares.values() if share.waiting]
        largest = max(shares, key=lambda share: share.slots, default=None)
        own = self._shares[account].slots if account in self._shares else 0
        return largest if largest and own + 1 <= largest.slots - 1 else None

    def _deactivate_if_idle(self, account: str) -> None:
        if not self._shares[account].slots:
            del self._shares[account]
            self._last_active_s.pop(account, None)  # moves the account to the end of the dict
            self._last_active_s[account] = self._clock()

    @staticmethod
    def _order(share: _Share[Item]) -> tuple[int, float]:
        return share.working, share.used_s
