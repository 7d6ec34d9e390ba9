"""The account of a fault test, and its balances, which must be exact after every fault.

A separate connection without the faults of the test reads the store.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.accounts.customer import GENEROUS
from tests.integration.accounts.spending import with_retries

from blur.accounts.admin import AccountAdmin
from blur.accounts.audit import differences
from blur.accounts.model import SECOND_US, Instant, KeyKind
from blur.clock import now
from blur.credits import ONE, Credits
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

DAY_US = 24 * 3600 * SECOND_US


class Calls(NamedTuple):
    """The amounts of an account, each divided by the price of a call on the server."""

    balance: int
    held: int
    used: int


@dataclass(frozen=True, slots=True)
class Balances:
    """An account with credits for a number of calls, and a key."""

    store: AccountStore
    account_id: str
    key: str
    put_in: int
    price: Credits

    def exact(self, *, at_us: Instant | None = None) -> Calls:
        """Return the account's amounts; balance + held + used must equal the granted credits."""
        read = partial(self.store.read_account, self.account_id, now_us=at_us or now())
        account = with_retries(read)
        assert account.granted == self.put_in * self.price
        assert list(differences(account, self.store.list_entries(self.account_id))) == []
        calls = Calls(*map(self._calls, (account.balance, account.held, account.used)))
        assert sum(calls) == self.put_in
        return calls

    def _calls(self, amount: Credits) -> int:
        calls, rest = divmod(amount, self.price)
        assert rest == 0
        return calls

    def settled(self, *, after_s: float) -> int:
        """Return the number of charged calls; fail if credits are held `after_s` seconds later."""
        late_us = Instant(now() + round(after_s * SECOND_US) + CLOCK_SKEW_US)
        account = self.exact(at_us=late_us)
        assert account.held == 0
        return account.used


def open_balances(store: AccountStore, put_in: int = 10_000, *, price: Credits = ONE) -> Balances:
    """Create an account with credits for `put_in` calls, and a key with a high rate limit."""
    return with_retries(partial(_opened, store, put_in, price))


def _opened(store: AccountStore, put_in: int, price: Credits) -> Balances:
    admin = AccountAdmin(store, secrets.token_bytes, now())
    account_id = admin.create_account("trial", credits=Credits(put_in * price))
    key, _ = admin.issue_key(account_id, KeyKind.LIVE, limit=GENEROUS)
    return Balances(store, account_id, key, put_in, price)
