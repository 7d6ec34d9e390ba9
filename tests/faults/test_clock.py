"""The clock jumps backwards and forwards; the tests pass the time to the stores."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.faults.balances import open_balances
from tests.faults.call_steps import caller
from tests.faults.responses import PICTURE
from tests.integration.accounts.customer import TTL_US, KeyedForm, after, begin, open_account
from tests.integration.accounts.spending import with_retries
from tests.trials import Part, record, size

from blur.accounts import idempotency
from blur.accounts.audit import differences
from blur.accounts.model import SECOND_US, Instant
from blur.clock import now
from blur.credits import ONE, QUARTER
from blur.errors import ApiError
from blur.settings import Settings

if TYPE_CHECKING:
    from tests.integration.accounts.customer import Customer

    from blur.accounts.idempotency import Reservation
    from blur.accounts.model import Account
    from blur.accounts.ports import AccountStore

pytestmark = pytest.mark.usefixtures("long_timeouts", "quick_networks")

CREDITS = 10_000
STEPS = size(120, full=1_000)
JUMPS_S = (-86_400.0, -3_600.0, -61.0, -6.0, -1.0, 0.0, 0.5, 1.0, 6.0, 61.0, 3_600.0, 86_400.0)
"""The jumps of the clock, from a day back to a day forward. A hold lasts for a minute."""
CALLS = size(4, full=20)
HOUR_S = 3_600.0
PRICES = (QUARTER, ONE)
KEYS = 5
"""The number of `Idempotency-Key`s per hour: so small that some calls use the same key."""


class Walk:
    """Calls that start, end or are lost while the clock jumps between steps."""

    def __init__(self, store: AccountStore, seed: int) -> None:
        """Start with an account without calls."""
        self.store = store
        self.customer: Customer = open_account(store, CREDITS)
        self.random = Random(seed)
        self.at_s = 0.0
        self.open: list[Reservation] = []
        self.delivered = self.charged = self.spent = self.jumps = 0
        self.latest_s = 0.0

    def now(self) -> Instant:
        """Return the time; in a third of all cases, the clock jumps first."""
        jump_s = self.random.choice(JUMPS_S) if self.random.random() < 1 / 3 else 0.01
        self.jumps += jump_s != 0.01
        self.at_s += jump_s
        self.latest_s = max(self.latest_s, self.at_s)
        return after(self.at_s)

    def step(self) -> None:
        """Start a call, or end an open call: settle it, refund it, or let its hold expire."""
        if not self.open or self.random.random() < 0.5:
            self.begin()
            return
        call = self.open.pop(self.random.randrange(len(self.open)))
        end = self.random.choice(("settle", "settle", "refund", "lose"))
        if end == "settle":
            self.delivered += 1
            status = idempotency.commit(self.store, call, now_us=self.now())
            self.charged += status.credits_charged == call.hold.price
            self.spent += status.credits_charged or 0
        elif end == "refund":
            idempotency.rollback(self.store, call, now_us=self.now())

    def begin(self) -> None:
        """Begin a call, with an `Idempotency-Key` or without one."""
        name = f"key-{self.random.randrange(KEYS)}-{int(self.at_s // HOUR_S)}"
        form = KeyedForm(name, "fingerprint") if self.random.random() < 0.3 else None
        now_us, price = self.now(), self.random.choice(PRICES)
        try:
            call = begin(self.store, self.customer.hold(price, now_us=now_us), form, now_us=now_us)
        except ApiError:
            return
        self.open.append(call)

    def require_exact(self, at_us: Instant) -> Account:
        """Compare the balances with the responses and the delivered results."""
        account = with_retries(
            partial(self.store.read_account, self.customer.account_id, now_us=at_us)
        )
        entries = self.store.list_entries(self.customer.account_id)
        assert list(differences(account, entries)) == []
        assert account.balance + account.held + account.used == CREDITS
        assert account.used <= self.spent
        assert self.charged <= self.delivered
        return account


def test_clock_jumps_keep_the_balances_exact_and_every_hold_is_released(
    store: AccountStore, location: str
) -> None:
    walk = Walk(store, seed=7)
    for _ in range(STEPS):
        walk.step()
        walk.require_exact(walk.now())
    long_after_us = after(walk.latest_s + 2 * TTL_US / SECOND_US)
    assert walk.require_exact(long_after_us).held == 0
    assert walk.charged > 0
    record(
        Part.FAULTS,
        f"The clock jumps by up to a day, back or forward, between steps of calls "
        f"({scheme(location)})",
        f"{walk.jumps} jumps, {STEPS} steps, {walk.delivered} results",
        f"the balances were exact after each step; {walk.charged} results were charged; "
        f"{walk.delivered - walk.charged} were free, because the hold had expired or the call was "
        "a repetition; every hold was released",
        by="tests/faults/test_clock.py",
    )


def scheme(location: str) -> str:
    return {"sqlite": "SQLite", "dynamodb": "DynamoDB"}[location.partition(":")[0]]


def test_calls_during_clock_jumps_get_documented_responses_and_no_hold_is_left(
    store: AccountStore, model_dir: Path
) -> None:
    random, at_s = Random(7), 0.0
    balances = open_balances(store)
    started_us = now()

    def clock() -> Instant:
        nonlocal at_s
        at_s += random.choice(JUMPS_S) if random.random() < 0.2 else 0.01
        return Instant(started_us + round(at_s * SECOND_US))

    client = caller(Settings(model_dir=model_dir), store, balances, "settle", clock=clock)
    seen = [client.call(f"call-{number}").kind for number in range(CALLS)]
    # If the clock jumps forward, a call can exceed its deadline. If the clock jumps back, the rate
    # limit can reject the call (`blur.accounts.rate`).
    assert set(seen) <= {PICTURE, "temporarily_unavailable", "rate_limit_exceeded"}
    assert PICTURE in seen
    late_us = Instant(started_us + round((at_s + CALLS * 86_400) * SECOND_US))
    account = balances.exact(at_us=late_us)
    assert account.held == 0
    assert account.used <= seen.count(PICTURE)
