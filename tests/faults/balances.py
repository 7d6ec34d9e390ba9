"""One account of a trial and its balances, which must be exact after every fault.

A separate connection reads the store, without the faults of the trial.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tests.integration.accounts.customer import GENEROUS
from tests.integration.accounts.spending import with_retries

from blur.accounts.admin import AccountAdmin
from blur.accounts.audit import differences
from blur.accounts.model import SECOND_US, Instant, KeyKind
from blur.clock import now
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from blur.accounts.model import Account
    from blur.accounts.ports import AccountStore

DAY_US = 24 * 3600 * SECOND_US


@dataclass(frozen=True, slots=True)
class Balances:
    """An account, its granted credits, and a key."""

    store: AccountStore
    account_id: str
    key: str
    put_in: int

    def exact(self, *, at_us: Instant | None = None) -> Account:
        """Return the account, whose balances add up: balance + held + settled = put in."""
        read = partial(self.store.read_account, self.account_id, now_us=at_us or now())
        account = with_retries(read)
        assert account.balance + account.held + account.used == self.put_in
        assert account.granted == self.put_in
        assert list(differences(account, self.store.list_entries(self.account_id))) == []
        return account

    def settled(self, *, after_s: float) -> int:
        """Return the total charge after every hold of `after_s` has ended."""
        late_us = Instant(now() + round(after_s * SECOND_US) + CLOCK_SKEW_US)
        account = self.exact(at_us=late_us)
        assert account.held == 0
        return account.used


def open_balances(store: AccountStore, put_in: int = 10_000) -> Balances:
    """Create an account with these credits and a key without a rate limit."""
    return with_retries(partial(_opened, store, put_in))


def _opened(store: AccountStore, put_in: int) -> Balances:
    admin = AccountAdmin(store, secrets.token_bytes, now())
    account_id = admin.create_account("trial", credits=put_in)
    key, _ = admin.issue_key(account_id, KeyKind.LIVE, limit=GENEROUS)
    return Balances(store, account_id, key, put_in)
