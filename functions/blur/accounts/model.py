"""The data types of accounts: amounts in quarters of a credit, times in microseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, NewType

from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from blur.account_status import RateLimit, RateLimitStatus
    from blur.credits import Credits

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01 UTC."""

SECOND_US = 1_000_000


class KeyKind(StrEnum):
    """Calls with a live key are charged; calls with a test key are free.

    The images of calls with a test key have a watermark.
    """

    LIVE = "live"
    TEST = "test"


class EntryKind(StrEnum):
    """Why an operator added or removed credits."""

    GRANT = "grant"
    TOP_UP = "top_up"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True)
class Weight:
    """The additional requests that the rate limit counts for a call because of its CPU time."""

    requests: int
    limit: RateLimit
    """The key's rate limit, from the status that `reserve` returned."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits reserved for one call, or for one photo of a job.

    A hold is settled or refunded, or it expires.
    """

    hold_id: str
    account_id: str
    key_digest: str
    price: Credits
    expires_us: Instant


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key in the store: its SHA-256, not the key itself."""

    digest: str
    account_id: str
    kind: KeyKind
    prefix: str
    """The first characters, by which people identify the key."""
    created_us: Instant
    expires_us: Instant | None
    revoked: bool
    limit: RateLimit

    def is_valid(self, now_us: Instant) -> bool:
        """Return whether the key can be used at this time."""
        return not self.revoked and (self.expires_us is None or now_us < self.expires_us)


@dataclass(frozen=True, slots=True)
class Usage:
    """The calls whose holds were settled in one month, and the credits that these calls cost."""

    calls: int
    credits: Credits


class KeyCounts(NamedTuple):
    """The calls of one key in one month."""

    calls: int
    """The number of settled calls, including calls with test keys."""
    credits: Credits
    """The credits that were charged for these calls."""
    pixels: int
    """The number of pixels in the photos of these calls."""
    failures: int
    """The number of calls that ended with an error after their credits were held."""


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """The usage of one key in one month."""

    prefix: str
    kind: KeyKind
    counts: KeyCounts


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """The usage of one account in one month."""

    account_id: str
    name: str
    balance: Credits
    """The current balance."""
    held: Credits
    """Credits of running calls, and of expired holds that are not released yet."""
    total: Usage
    """The usage of all keys together: the entry of `Account.usage` for the month."""
    keys: tuple[KeyUsage, ...]
    """The keys with calls or failures, oldest first. Calls that an older version counted only for
    the account are not included."""


@dataclass(frozen=True, slots=True)
class Account:
    """A snapshot of one account. At any time, granted - used = balance + held."""

    account_id: str
    name: str
    created_us: Instant
    balance: Credits
    """Credits that can be spent; credits on hold are not included."""
    held: Credits
    granted: Credits
    """The sum of the ledger's entries; the write of each entry updates this sum."""
    used: Credits
    """Sum of the charged credits."""
    usage: dict[str, Usage] = field(default_factory=dict)
    """The usage by month, `YYYY-MM` in UTC, of live and test keys together."""
    keys: tuple[KeyRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account, one of its keys, and the key's rate limit for reading the account."""

    account: Account
    key: KeyRecord
    rate: RateLimitStatus


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry of the append-only ledger: the credits that were added or removed, and why."""

    entry_id: str
    account_id: str
    kind: EntryKind
    credits: Credits
    at_us: Instant
    note: str = ""


@dataclass(frozen=True, slots=True)
class AccountWithLedger:
    """An account and its whole ledger, both read at the same moment."""

    account: Account
    entries: tuple[LedgerEntry, ...]
    """The entries, oldest first."""


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The record of the first call with an `Idempotency-Key`; each API key has separate records."""

    account_id: str
    scope: str
    """SHA-256 of the API key's digest and the idempotency key."""
    fingerprint: str
    """SHA-256 of the image's bytes and the parameters."""
    hold_id: str
    """The hold of the call that owns the record."""
    done: bool
    """Whether the call that owns the record ended with an image. The charge is a later write."""
    lease_until_us: Instant
    """The expiry of the owner's hold. After this time, another call can take over a record that is
    not done."""
    forget_us: Instant
    """When the record expires: 24 h after the first call, or earlier with a derived key."""

    def is_valid(self, now_us: Instant) -> bool:
        """Return whether the record is still valid, with a margin for clock skew.

        While it is valid, no other call can store a record for the same key.
        """
        past_us = now_us - CLOCK_SKEW_US
        return past_us < self.forget_us and (self.done or past_us < self.lease_until_us)


def usage_month(now_us: Instant) -> str:
    """Return the month in UTC, `YYYY-MM`. Its usage includes the calls that are settled now."""
    return datetime.fromtimestamp(now_us // SECOND_US, UTC).strftime("%Y-%m")
