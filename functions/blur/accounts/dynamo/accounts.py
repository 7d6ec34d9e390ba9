"""The methods of `AccountStore`, each of them one call with a patience of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.accounts.dynamo import admin, calls, records, schema
from blur.accounts.dynamo.items import key_of
from blur.accounts.dynamo.table import BusyUntil, DynamoTable, Send
from blur.accounts.rate import LimiterClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blur.account_status import AccountStatus, RateLimit
    from blur.accounts.model import (
        Account,
        AccountView,
        AccountWithLedger,
        Claim,
        Hold,
        IdempotencyRecord,
        Instant,
        KeyRecord,
        LedgerEntry,
        Reservation,
        Weight,
    )


class DynamoAccounts:
    """`AccountStore` in a DynamoDB table, over whatever sends the requests."""

    def __init__(self, table_name: str, begin: Callable[[], Send]) -> None:
        """Keep the function that starts sending for one call."""
        self._table_name = table_name
        self._begin = begin
        self._limiter = LimiterClock()
        self._busy_until: BusyUntil = {}

    def _table(self) -> DynamoTable:
        return DynamoTable(self._table_name, self._begin, self._limiter, self._busy_until)

    def authorize(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountStatus:
        """See `CallStore.authorize`."""
        return calls.authorize(self._table(), account_id, key_digest, now_us)

    def reserve(self, claim: Claim, *, now_us: Instant) -> Reservation:
        """See `CallStore.reserve`. One write where the key has rested, else two."""
        return calls.reserve(self._table(), claim, now_us)

    def settle(self, hold: Hold, *, now_us: Instant, weight: Weight | None = None) -> AccountStatus:
        """See `CallStore.settle`."""
        return calls.settle(self._table(), hold, now_us, weight)

    def refund(self, hold: Hold, *, now_us: Instant, weight: Weight | None = None) -> AccountStatus:
        """See `CallStore.refund`."""
        return calls.refund(self._table(), hold, now_us, weight)

    def add_weight(
        self, account_id: str, key_digest: str, weight: Weight, *, now_us: Instant
    ) -> AccountStatus:
        """See `CallStore.add_weight`."""
        return calls.add_weight(self._table(), account_id, key_digest, weight, now_us)

    def has_valid_key(self, account_id: str, key_digest: str, *, now_us: Instant) -> bool:
        """See `CallStore.has_valid_key`."""
        item = self._table().get(schema.account_key(account_id))
        if item is None or key_digest not in item["keys"]:
            return False
        return key_of(item, account_id, key_digest).is_valid(now_us)

    def get_account(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountView:
        """See `CallStore.get_account`."""
        return calls.get_account(self._table(), account_id, key_digest, now_us)

    def claim_record(
        self, record: IdempotencyRecord, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """See `CallStore.claim_record`."""
        return records.claim(self._table(), record, now_us)

    def find_record(
        self, account_id: str, scope: str, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """See `CallStore.find_record`."""
        return records.find(self._table(), account_id, scope, now_us)

    def complete_record(self, record: IdempotencyRecord) -> bool:
        """See `CallStore.complete_record`."""
        return records.complete(self._table(), record)

    def release_record(self, record: IdempotencyRecord) -> None:
        """See `CallStore.release_record`."""
        records.release(self._table(), record)

    def create_account(self, account_id: str, name: str, *, now_us: Instant) -> None:
        """See `AccountStore.create_account`."""
        admin.create_account(self._table(), account_id, name, now_us)

    def append_entry(self, entry: LedgerEntry) -> None:
        """See `AccountStore.append_entry`."""
        admin.append_entry(self._table(), entry)

    def add_key(self, key: KeyRecord, *, now_us: Instant, most: int = 2) -> None:
        """See `AccountStore.add_key`."""
        admin.add_key(self._table(), key, now_us, most)

    def expire_key(self, account_id: str, key_digest: str, *, at_us: Instant) -> None:
        """See `AccountStore.expire_key`."""
        admin.expire_key(self._table(), account_id, key_digest, at_us)

    def revoke_key(self, account_id: str, key_digest: str) -> None:
        """See `AccountStore.revoke_key`."""
        admin.revoke_key(self._table(), account_id, key_digest)

    def set_rate_limit(self, account_id: str, key_digest: str, limit: RateLimit) -> None:
        """See `AccountStore.set_rate_limit`."""
        admin.set_rate_limit(self._table(), account_id, key_digest, limit)

    def read_account(self, account_id: str, *, now_us: Instant) -> Account:
        """See `AccountStore.read_account`."""
        return admin.read_account(self._table(), account_id, now_us)

    def list_accounts(self, *, now_us: Instant) -> Iterator[Account]:
        """See `AccountStore.list_accounts`."""
        return admin.list_accounts(self._table(), now_us)

    def list_entries(self, account_id: str) -> Iterator[LedgerEntry]:
        """See `AccountStore.list_entries`."""
        return admin.list_entries(self._table(), account_id)

    def read_with_ledger(self, account_id: str, *, now_us: Instant) -> AccountWithLedger:
        """See `AccountStore.read_with_ledger`."""
        return admin.read_with_ledger(self._table(), account_id, now_us)
