"""The distributed store: `AccountStore` in one DynamoDB table, which `schema` defines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.accounts.dynamo import authorization, holds, key_usage, ledger, rate_weights, records
from blur.accounts.dynamo.authorization import RateCheck
from blur.accounts.dynamo.client import Sender
from blur.accounts.dynamo.items import (
    ACCOUNT_REQUESTS,
    CALLS,
    account_of,
    key_of,
    rate_limit_status_of,
    status_of,
)
from blur.accounts.dynamo.schema import account_key
from blur.accounts.dynamo.table import BusyUntil, DynamoTable, Send
from blur.accounts.hold_states import credits_charged
from blur.accounts.model import AccountView
from blur.accounts.ports import accounts_unreachable
from blur.accounts.rate import LimiterClock
from blur.credits import ZERO, Credits
from blur.errors import InvalidApiKeyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from blur.account_status import AccountStatus, RateLimit
    from blur.accounts.dynamo.values import Item
    from blur.accounts.model import (
        Account,
        AccountUsage,
        AccountWithLedger,
        Hold,
        IdempotencyRecord,
        Instant,
        KeyRecord,
        LedgerEntry,
        Weight,
    )


class DynamoAccountStore:
    """`AccountStore` in a DynamoDB table; usable from many threads.

    If DynamoDB throttles requests, cannot be reached or sends invalid responses, every method
    raises `UnavailableError`, chained to the cause, within two seconds times `timeout_factor`.
    In spite of the error, DynamoDB might have applied the write, so callers repeat the method or
    let the hold expire.
    """

    def __init__(
        self, table_name: str, client: DynamoDBClient, *, timeout_factor: float = 1
    ) -> None:
        """Store the arguments; `dynamo.client.open_client` returns a client."""
        self._table_name = table_name
        self._client = client
        self._timeout_factor = timeout_factor
        self._limiter = LimiterClock()
        self._busy_until: BusyUntil = {}

    def authorize(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountStatus:
        """See `CallStore.authorize`."""
        table = self._table()
        check = RateCheck.start(table, account_id, key_digest, CALLS, now_us)
        item = authorization.apply_rate_limit(table, check)
        return status_of(item, key_digest, ZERO, self._limiter.us(now_us))

    def reserve(self, hold: Hold, *, now_us: Instant) -> AccountStatus:
        """See `CallStore.reserve`; one write is enough if this process knows the bucket's state."""
        table = self._table()
        check = RateCheck.start(table, hold.account_id, hold.key_digest, CALLS, now_us)
        item = authorization.apply_rate_limit(table, check, hold)
        if holds.state_of(item, hold.hold_id) is None:
            raise accounts_unreachable()
        return status_of(item, hold.key_digest, hold.price, self._limiter.us(now_us))

    def settle(
        self, hold: Hold, *, now_us: Instant, weight: Weight | None = None, pixels: int = 0
    ) -> AccountStatus:
        """See `CallStore.settle`."""
        table = self._table()
        state, item = holds.settle(table, hold, now_us, weight, pixels)
        charged = credits_charged(state, hold, now_us)
        return self._status_after(table, hold, item, charged, now_us)

    def refund(
        self, hold: Hold, *, now_us: Instant, weight: Weight | None = None, failed: bool = False
    ) -> AccountStatus:
        """See `CallStore.refund`."""
        table = self._table()
        item = holds.refund(table, hold, now_us, weight, failed=failed)
        return self._status_after(table, hold, item, ZERO, now_us)

    def add_weight(
        self, account_id: str, key_digest: str, weight: Weight, *, now_us: Instant
    ) -> AccountStatus:
        """See `CallStore.add_weight`."""
        limiter_us = self._limiter.us(now_us)
        item = rate_weights.add_weight(self._table(), account_id, key_digest, weight, limiter_us)
        return status_of(item, key_digest, ZERO, limiter_us)

    def get_account(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountView:
        """See `CallStore.get_account`."""
        table = self._table()
        check = RateCheck.start(table, account_id, key_digest, ACCOUNT_REQUESTS, now_us)
        item = authorization.apply_rate_limit(table, check)
        if key_digest not in item["keys"]:  # the key was revoked or expired during this request
            raise InvalidApiKeyError
        limiter_us = self._limiter.us(now_us)
        limit_status = rate_limit_status_of(item, key_digest, ACCOUNT_REQUESTS, limiter_us)
        return AccountView(account_of(item), key_of(item, account_id, key_digest), limit_status)

    def has_valid_key(self, account_id: str, key_digest: str, *, now_us: Instant) -> bool:
        """See `CallStore.has_valid_key`."""
        item = self._table().get(account_key(account_id))
        if item is None or key_digest not in item["keys"]:
            return False
        return key_of(item, account_id, key_digest).is_valid(now_us)

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
        ledger.create_account(self._table(), account_id, name, now_us)

    def append_entry(self, entry: LedgerEntry) -> None:
        """See `AccountStore.append_entry`."""
        ledger.append_entry(self._table(), entry)

    def add_key(self, key: KeyRecord, *, now_us: Instant) -> None:
        """See `AccountStore.add_key`."""
        ledger.add_key(self._table(), key, now_us)

    def expire_key(self, account_id: str, key_digest: str, *, at_us: Instant) -> None:
        """See `AccountStore.expire_key`."""
        ledger.expire_key(self._table(), account_id, key_digest, at_us)

    def revoke_key(self, account_id: str, key_digest: str) -> None:
        """See `AccountStore.revoke_key`."""
        ledger.revoke_key(self._table(), account_id, key_digest)

    def set_rate_limit(self, account_id: str, key_digest: str, limit: RateLimit) -> None:
        """See `AccountStore.set_rate_limit`."""
        ledger.set_rate_limit(self._table(), account_id, key_digest, limit)

    def read_account(self, account_id: str, *, now_us: Instant) -> Account:
        """See `AccountStore.read_account`."""
        return ledger.read_account(self._table(), account_id, now_us)

    def list_accounts(self, *, now_us: Instant) -> Iterator[Account]:
        """See `AccountStore.list_accounts`."""
        return ledger.list_accounts(self._table(), now_us)

    def list_usage(self, month: str, *, now_us: Instant) -> Iterator[AccountUsage]:
        """See `AccountStore.list_usage`."""
        return key_usage.list_usage(self._table(), month, now_us)

    def list_entries(self, account_id: str) -> Iterator[LedgerEntry]:
        """See `AccountStore.list_entries`."""
        return ledger.list_entries(self._table(), account_id)

    def read_with_ledger(self, account_id: str, *, now_us: Instant) -> AccountWithLedger:
        """See `AccountStore.read_with_ledger`."""
        return ledger.read_with_ledger(self._table(), account_id, now_us)

    def require_available(self) -> None:
        """See `AccountStore.require_available`."""
        self._table().get(account_key("none"))  # no account has this id

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    def _table(self) -> DynamoTable:
        """Return a new `DynamoTable` for one store method; the method's time limit starts now."""
        return DynamoTable(self._table_name, self._start, self._limiter, self._busy_until)

    def _start(self) -> Send:
        return Sender.start(self._client, timeout_factor=self._timeout_factor)

    def _status_after(
        self, table: DynamoTable, hold: Hold, item: Item, charged: Credits, now_us: Instant
    ) -> AccountStatus:
        item = holds.release_expired(table, hold.account_id, item, now_us)
        return status_of(item, hold.key_digest, charged, self._limiter.us(now_us))
