"""Functions that create accounts with keys in DynamoDB Local."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from events import make

from blur.account_status import RateLimit
from blur.accounts import keys
from blur.accounts.admin import AccountAdmin
from blur.accounts.model import (
    SECOND_US,
    Account,
    EntryKind,
    Instant,
    KeyKind,
    KeyRecord,
    LedgerEntry,
)
from blur.clock import now
from blur.credits import whole
from blur.errors import InvalidApiKeyError, UnavailableError

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

FREQUENT = RateLimit(per_minute=60_000, burst=10_000)
RARE = RateLimit(per_minute=1, burst=1)
FUNDS = 100


@dataclass(frozen=True, slots=True)
class Customer:
    """An account in DynamoDB Local and its key."""

    store: AccountStore
    account_id: str
    key: str

    def account(self, *, in_s: int = 0) -> Account:
        """Return the account as it will be in `in_s` seconds."""
        at_us = Instant(now() + in_s * SECOND_US)
        return self.store.read_account(self.account_id, now_us=at_us)


def new_customer(store: AccountStore, issued: list[str]) -> Customer:
    """Create an account with three credits, and add the new key to the run's list `issued`."""
    admin = AccountAdmin(store, secrets.token_bytes, now())
    account_id = admin.create_account("e2e", credits=whole(3))
    text, _ = admin.issue_key(account_id, KeyKind.LIVE, limit=FREQUENT)
    issued.append(text)
    return Customer(store, account_id, text)


def wake(store: AccountStore) -> None:
    """Send 30 requests. After that, DynamoDB Local responds within the store's limit of 0.6 s."""
    unknown = keys.parse(make.UNKNOWN)
    for _ in range(30):
        with contextlib.suppress(UnavailableError, InvalidApiKeyError):
            store.authorize(unknown.account_id, unknown.digest, now_us=now())


def add_account(store: AccountStore, text: str, granted: int, limit: RateLimit) -> None:
    key, at_us = keys.parse(text), now()
    store.create_account(key.account_id, "fixture", now_us=at_us)
    if granted:
        store.append_entry(
            LedgerEntry(key.account_id, key.account_id, EntryKind.GRANT, whole(granted), at_us)
        )
    record = KeyRecord(
        key.digest, key.account_id, key.kind, key.prefix, at_us, None, revoked=False, limit=limit
    )
    store.add_key(record, now_us=at_us)
