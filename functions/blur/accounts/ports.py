"""The port: the methods that the service and the operator's commands call on an account store.

`SqliteAccountStore` and `DynamoAccountStore` implement the port, and one test suite runs against
both. Every method is atomic. A method that moves credits does so at most once for its id
(`hold_id`, `entry_id`), so callers and SDKs can call the method again. Time is always an argument.
`hold_states` has the states of a hold, and the events that change them. A method that gets a value
that `operator_input` rejects raises `InvalidArgumentError`.

Every method raises `UnavailableError` if the store cannot be reached within about two seconds. The
store might have made the change in spite of the error, so callers repeat the method or let the hold
expire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from blur.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.account_status import AccountStatus, RateLimit
    from blur.accounts.model import (
        Account,
        AccountUsage,
        AccountView,
        AccountWithLedger,
        Hold,
        IdempotencyRecord,
        Instant,
        KeyRecord,
        LedgerEntry,
        Weight,
    )


class CallStore(Protocol):
    """The methods of the account store that a request needs."""

    def authorize(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountStatus:
        """Authenticate and count one request, without a hold.

        Raises:
            InvalidApiKeyError: the key is unknown, revoked or expired.
            RateLimitError: the key has no requests left; `retry_after_s` is the time to wait.

        """
        ...

    def reserve(self, hold: Hold, *, now_us: Instant) -> AccountStatus:
        """Authenticate a call, count it towards the rate limit and create its hold, in one write.

        A repeated `reserve` with the same `hold_id` neither creates a second hold nor counts a
        second request. `credits_charged` of the status is the price, the maximum that the call can
        cost.

        Raises:
            InvalidApiKeyError: checked first; the key is unknown, revoked or expired.
            RateLimitError: checked second; the key has no requests left.
            InsufficientCreditsError: checked third; the balance is below the price. The request
            is counted.

        """
        ...

    def settle(
        self, hold: Hold, *, now_us: Instant, weight: Weight | None = None, pixels: int = 0
    ) -> AccountStatus:
        """Charge the hold and count the call in this month, if the hold exists and has not expired.

        The same write counts the call, its credits and the `pixels` of its photo for the key, and
        adds `weight` to the key's rate limit. If the account does not exist, `settle`, `refund` and
        `add_weight` raise `UnknownAccountError`; SQLite also does so for an unknown key.
        """
        ...

    def refund(
        self, hold: Hold, *, now_us: Instant, weight: Weight | None = None, failed: bool = False
    ) -> AccountStatus:
        """Return the held credits to the balance, if the hold still exists.

        The same write adds `weight` to the key's rate limit, and counts a `failed` call as a
        failure.
        """
        ...

    def add_weight(
        self, account_id: str, key_digest: str, weight: Weight, *, now_us: Instant
    ) -> AccountStatus:
        """Add the weight of a call to the key's rate limit; the call has no hold.

        A repeated `add_weight` adds the weight again, up to the maximum in `rate.add_weight`.
        """
        ...

    def get_account(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountView:
        """Authenticate, count the request towards a separate rate limit, and return the account.

        Raises:
            InvalidApiKeyError: the key is unknown, revoked or expired.
            RateLimitError: the key has reached this separate rate limit.

        """
        ...

    def has_valid_key(self, account_id: str, key_digest: str, *, now_us: Instant) -> bool:
        """Return whether the key is valid, without counting a request.

        The key can expire or be revoked later, so `authorize`, `reserve` and `get_account` check it
        again.
        """
        ...

    def claim_record(
        self, record: IdempotencyRecord, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """Store the record of a new call and return None, unless another valid record exists.

        If there is another valid record (`IdempotencyRecord.is_valid`), that record is returned and
        nothing is stored. A repeated `claim_record` with the same `hold_id` returns None again.
        """
        ...

    def find_record(
        self, account_id: str, scope: str, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """Return the record with this scope, or None if it is missing or no longer valid."""
        ...

    def complete_record(self, record: IdempotencyRecord) -> bool:
        """Mark the record done and return True, if the record still has the hold of this call.

        If the result is False, this call must not settle its hold, because the record has the hold
        of another call, and that call is charged.
        """
        ...

    def release_record(self, record: IdempotencyRecord) -> None:
        """Delete the record, if it still has the hold of this call and is not done."""


class AccountStore(CallStore, Protocol):
    """The methods that requests and operators need."""

    def create_account(self, account_id: str, name: str, *, now_us: Instant) -> None:
        """Create an empty account.

        Raises:
            AccountExistsError: another account already has this id.

        """

    def append_entry(self, entry: LedgerEntry) -> None:
        """Append the entry to the ledger and change the balance, at most once for each `entry_id`.

        Raises:
            UnknownAccountError: the account does not exist.
            OverdrawnError: the adjustment is larger than the balance.
            EntryDiffersError: the ledger has a different entry with this id.

        """

    def add_key(self, key: KeyRecord, *, now_us: Instant) -> None:
        """Add a key, if the account has fewer than `MAX_VALID_KEYS` valid keys of this kind.

        Raises:
            UnknownAccountError: the account does not exist.
            TooManyKeysError: the account has the maximum number of valid keys of this kind.

        """

    def expire_key(self, account_id: str, key_digest: str, *, at_us: Instant) -> None:
        """Let the key expire at `at_us`, unless it expires earlier.

        Raises:
            UnknownAccountError: the account or the key does not exist.

        """

    def revoke_key(self, account_id: str, key_digest: str) -> None:
        """Revoke the key permanently.

        Raises:
            UnknownAccountError: the account or the key does not exist.

        """

    def set_rate_limit(self, account_id: str, key_digest: str, limit: RateLimit) -> None:
        """Change the key's rate limit.

        Raises:
            UnknownAccountError: the account or the key does not exist.
            InvalidKeyError: the key is revoked, or has expired and was moved out of the account.

        """

    def read_account(self, account_id: str, *, now_us: Instant) -> Account:
        """Release expired holds and return the account.

        Raises:
            UnknownAccountError: the account does not exist.

        """
        ...

    def list_accounts(self, *, now_us: Instant) -> Iterator[Account]:
        """Yield every account as `read_account` returns it, sorted by id.

        This scans the whole store.
        """
        ...

    def list_usage(self, month: str, *, now_us: Instant) -> Iterator[AccountUsage]:
        """Yield the usage of every account in a month, `YYYY-MM` in UTC, sorted by account id.

        This scans the whole store. All counters of one account are read at the same moment.
        """
        ...

    def list_entries(self, account_id: str) -> Iterator[LedgerEntry]:
        """Yield the account's ledger, oldest first."""
        ...

    def read_with_ledger(self, account_id: str, *, now_us: Instant) -> AccountWithLedger:
        """Return the account and its ledger as they are at the same moment, even during writes.

        Raises:
            UnknownAccountError: the account does not exist.

        """
        ...

    def require_available(self) -> None:
        """Raise `UnavailableError` if no call can be charged now, for `/ready`.

        SQLite also writes a few bytes, because a full disk can still be read. DynamoDB only reads.
        """

    def close(self) -> None:
        """Close files and connections."""


def accounts_unreachable() -> UnavailableError:
    """Return the error for a store that cannot be reached or does not work."""
    message = "The account store cannot be reached at the moment. Nothing was charged."
    return UnavailableError(message, retry_after_s=1)
