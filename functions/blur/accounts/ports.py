r"""The port: what the service and the operator's tools ask of a store of accounts.

`SqliteAccountStore` and `DynamoAccountStore` implement it, and one suite of tests holds
both to it. Every method is atomic, and every method that moves credits does so at most
once for its id (`hold_id`, `entry_id`), so that a caller or an SDK may repeat it freely.
Time is an argument throughout. Each method raises `UnavailableError` where the store
cannot be reached within about two seconds; nothing is charged then.

The life of a hold:

    reserve --> held --> settle             charged
                    \--> refund             credit back at once
                    \--> (expires)          credit back at the account's next use

Settling a hold that has expired charges nothing, whether or not its credit has been
returned yet: `settle` answers with `credits_charged == 0`. Settling or refunding a hold
twice changes nothing the second time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class CallStore(Protocol):
    """What one call on the request path needs."""

    def authorize(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountStatus:
        """Authenticate and count one request, holding nothing.

        Raises:
            InvalidApiKeyError: unknown, revoked or expired.
            RateLimitError: `retry_after_s` is how long until a request gets in.

        """
        ...

    def reserve(self, claim: Claim, *, now_us: Instant) -> Reservation:
        """Authenticate, count the request and take a hold of `claim.price`, in one write.

        Repeating it with the same `hold_id` takes the hold once and counts once. The
        status's `credits_charged` is the price: the most that the call can cost.

        Raises:
            InvalidApiKeyError: first; unknown, revoked or expired.
            RateLimitError: second.
            InsufficientCreditsError: third; the request is counted.

        """
        ...

    def settle(self, hold: Hold, *, now_us: Instant, weight: Weight | None = None) -> AccountStatus:
        """Charge the hold and count the call in its month; nothing if it has expired.

        The same write adds `weight` to the key's rate limit.
        """
        ...

    def refund(self, hold: Hold, *, now_us: Instant, weight: Weight | None = None) -> AccountStatus:
        """Give the held credits back; nothing if they have gone back already.

        The same write adds `weight` to the key's rate limit.
        """
        ...

    def add_weight(
        self, account_id: str, key_digest: str, weight: Weight, *, now_us: Instant
    ) -> AccountStatus:
        """Add the weight of a call that has no hold to the key's rate limit.

        Repeating it adds the weight again, within the bound that `rate.add_weight` has.
        """
        ...

    def get_account(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountView:
        """Authenticate and show the account, counted by a rate limit of its own.

        Raises:
            InvalidApiKeyError: unknown, revoked or expired.
            RateLimitError: too many inquiries.

        """
        ...

    def has_valid_key(self, account_id: str, key_digest: str, *, now_us: Instant) -> bool:
        """Return whether the key is known and neither revoked nor expired; only a read.

        Nothing is counted: `authorize` and the others decide.
        """
        ...

    def claim_record(
        self, record: IdempotencyRecord, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """Store the record of a call that begins, unless another one counts.

        `IdempotencyRecord.counts` defines it. The record that counts is returned and nothing
        is stored. Repeating the call with the same `hold_id` answers None.
        """
        ...

    def find_record(
        self, account_id: str, scope: str, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """Return the record that counts now, if there is one."""
        ...

    def complete_record(self, record: IdempotencyRecord) -> bool:
        """Mark the record done and return True, if the same `hold_id` still owns it.

        After False the call must not settle: another call owns the record and charges.
        """
        ...

    def release_record(self, record: IdempotencyRecord) -> None:
        """Delete the record, if the same `hold_id` still owns it and it is not done."""
        ...


class AccountStore(CallStore, Protocol):
    """The request path and what operators do besides."""

    def create_account(self, account_id: str, name: str, *, now_us: Instant) -> None:
        """Create an empty account.

        Raises:
            AccountExistsError: the id is taken.

        """
        ...

    def append_entry(self, entry: LedgerEntry) -> None:
        """Append to the ledger and move the balance, at most once for its `entry_id`.

        Raises:
            UnknownAccountError: there is no such account.
            OverdrawnError: an adjustment would take more than the balance.
            EntryDiffersError: the id is in the ledger with other credits or another kind.

        """
        ...

    def add_key(self, key: KeyRecord, *, now_us: Instant, most: int = 2) -> None:
        """Add a key, while the account has fewer than `most` valid keys of its kind.

        Raises:
            UnknownAccountError: there is no such account.
            TooManyKeysError: the account has its keys already.

        """
        ...

    def expire_key(self, account_id: str, key_digest: str, *, at_us: Instant) -> None:
        """Let the key end at `at_us`, unless it ends sooner anyway.

        Raises:
            UnknownAccountError: there is no such account or key.

        """
        ...

    def revoke_key(self, account_id: str, key_digest: str) -> None:
        """End the key for good, at once.

        Raises:
            UnknownAccountError: there is no such account or key.

        """
        ...

    def set_rate_limit(self, account_id: str, key_digest: str, limit: RateLimit) -> None:
        """Give the key a rate limit of its own.

        Raises:
            UnknownAccountError: there is no such account or key.
            InvalidKeyError: the key is revoked, or has expired and the store noticed.

        """
        ...

    def read_account(self, account_id: str, *, now_us: Instant) -> Account:
        """Return the account after bringing expired holds home.

        Raises:
            UnknownAccountError: there is no such account.

        """
        ...

    def list_accounts(self, *, now_us: Instant) -> Iterator[Account]:
        """Yield every account, by id, as `read_account` shows it. A scan: for operators only."""
        ...

    def list_entries(self, account_id: str) -> Iterator[LedgerEntry]:
        """Yield the account's ledger, oldest first."""
        ...

    def read_with_ledger(self, account_id: str, *, now_us: Instant) -> AccountWithLedger:
        """Return the account and its ledger as of one moment, whatever is written meanwhile.

        Raises:
            UnknownAccountError: there is no such account.

        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class AccountAdminError(Exception):
    """An operator's request that the store refuses; the message is for the operator."""


class InvalidArgumentError(AccountAdminError):
    """A value is out of its bounds, which `checks` defines."""


class AccountExistsError(AccountAdminError):
    """The account's id is taken."""


class UnknownAccountError(AccountAdminError):
    """No such account, or no such key on it."""


class OverdrawnError(AccountAdminError):
    """The adjustment would take the balance below zero."""


class InvalidKeyError(AccountAdminError):
    """The key is revoked or has expired, and cannot be renewed."""


class EntryDiffersError(AccountAdminError):
    """The entry's id stands in the ledger already, with other credits or of another kind."""


class TooManyKeysError(AccountAdminError):
    """The account has as many valid keys of this kind as it may have."""


def require_same(appended: LedgerEntry, entry: LedgerEntry) -> None:
    """Let a repeated entry pass, whenever it was first sent and with whatever note.

    Raises:
        EntryDiffersError: it is another entry under the same id.

    """
    if (appended.kind, appended.credits) != (entry.kind, entry.credits):
        message = (
            f"entry {entry.entry_id} is in the ledger already: "
            f"{appended.kind} of {appended.credits} credits"
        )
        raise EntryDiffersError(message)
