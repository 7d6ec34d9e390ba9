"""Threads, in one or several processes, that spend the credits of one account at the same time.

A network can deliver a write twice, the second time much later. `Echo` simulates this: it repeats
some writes of a store immediately, and some after later writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, TypeVar

from tests.integration.accounts.customer import TTL_US, Customer

from blur.accounts.connect import open_account_store
from blur.accounts.model import Instant
from blur.errors import InsufficientCreditsError, UnavailableError

if TYPE_CHECKING:
    from blur.accounts.model import Hold
    from blur.accounts.ports import AccountStore

Result = TypeVar("Result")
REFUND_SHARE = 0.1
RETRY_S = 60
PAUSE_S = 0.1


@dataclass(frozen=True)
class Traffic:
    """The possible prices of a call, and the share of writes that are repeated."""

    prices: tuple[int, ...] = (1,)
    duplicates: float = 0


class Echo:
    """Delivers writes to a store, some of them twice, and some again much later."""

    def __init__(self, store: AccountStore, seed: int, *, duplicates: float) -> None:
        """Deliver writes to `store`; each write is repeated with the probability `duplicates`."""
        self._store = store
        self._random = Random(seed)
        self._duplicates = duplicates
        self._sent: list[Callable[[], object]] = []

    def reserve(self, hold: Hold, now_us: Instant) -> None:
        """Reserve a hold, and check that the store reports the hold's price as the charge."""
        status = self._deliver(partial(self._store.reserve, hold, now_us=now_us))
        assert status.credits_charged == hold.price

    def settle(self, hold: Hold) -> int:
        """Settle the hold, and return the charge."""
        deliver = partial(self._store.settle, hold, now_us=now())
        return self._deliver(deliver).credits_charged or 0

    def refund(self, hold: Hold) -> None:
        """Refund the hold."""
        self._deliver(partial(self._store.refund, hold, now_us=now()))

    def _deliver(self, write: Callable[[], Result]) -> Result:
        result = with_retries(write)
        self._sent.append(write)
        if self._random.random() < self._duplicates:
            with_retries(write)
        if self._random.random() < self._duplicates:
            with_retries(self._random.choice(self._sent[-8:]))
        return result


def now() -> Instant:
    """Return the current time."""
    return Instant(time.time_ns() // 1000)


def with_retries(write: Callable[[], Result]) -> Result:
    """Retry a call to the store while it is unavailable, as clients do after a 503."""
    deadline = time.monotonic() + RETRY_S
    while True:
        try:
            return write()
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_S)


def spend(store: AccountStore, customer: Customer, seed: int, traffic: Traffic) -> int:
    """Make calls until the balance is below the lowest price; return the charged amount.

    Refunded credits are spent by later calls.
    """
    echo = Echo(store, seed, duplicates=traffic.duplicates)
    random, prices = Random(seed), traffic.prices
    charged = 0
    while True:
        now_us, price = now(), random.choice(prices)
        hold = customer.hold(price, now_us=now_us, ttl_us=10 * TTL_US)
        try:
            echo.reserve(hold, now_us)
        except InsufficientCreditsError:
            if price == min(prices):
                return charged
            prices = (min(prices),)
            continue
        if traffic.duplicates and random.random() < REFUND_SHARE:
            echo.refund(hold)
        else:
            charged += echo.settle(hold)


def spend_in_threads(
    location: str, customer: Customer, threads: int, seed: int, traffic: Traffic
) -> int:
    """Spend the customer's credits in many threads, and return the charged amount.

    The threads share a new connection to the store.
    """
    store = open_account_store(location)
    try:
        with ThreadPoolExecutor(threads) as pool:
            spenders = [
                pool.submit(spend, store, customer, seed * threads + number, traffic)
                for number in range(threads)
            ]
            return sum(spender.result() for spender in spenders)
    finally:
        store.close()
