"""The nouns of the ledger. Credits are whole numbers, instants microseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from blur.account_status import AccountStatus, RateLimit, RateLimitStatus

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01 UTC."""

SECOND_US = 1_000_000


class KeyKind(StrEnum):
    """A live key is charged; a test key costs nothing and its results get a watermark."""

    LIVE = "live"
    TEST = "test"


class EntryKind(StrEnum):
    """Why an operator put credits in or took them out."""

    GRANT = "grant"
    TOP_UP = "top_up"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True)
class Weight:
    """How many more requests a call counts as in its key's rate limit, for the CPU it took."""

    requests: int
    limit: RateLimit
    """The key's limit, as the call's reservation reported it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call asks of the store before its work begins."""

    account_id: str
    key_digest: str
    hold_id: str
    price: int
    hold_ttl_us: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits set aside for one call, until it settles, is refunded, or expires."""

    hold_id: str
    account_id: str
    key_digest: str
    price: int
    expires_us: Instant


@dataclass(frozen=True, slots=True)
class Reservation:
    """An admitted call: its hold and where the key stands while it is held."""

    hold: Hold
    standing: AccountStatus


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What the store keeps of a key: its SHA-256, never the key."""

    digest: str
    account_id: str
    kind: KeyKind
    prefix: str
    """The first characters, enough for a person to tell keys apart."""
    created_us: Instant
    expires_us: Instant | None
    revoked: bool
    limit: RateLimit

    def is_valid(self, now_us: Instant) -> bool:
        """Tell whether the key may be used at this instant."""
        return not self.revoked and (self.expires_us is None or now_us < self.expires_us)


@dataclass(frozen=True, slots=True)
class Usage:
    """What was settled in one month."""

    calls: int
    credits: int


@dataclass(frozen=True, slots=True)
class Account:
    """A snapshot of one account. At any instant granted - used = balance + held."""

    account_id: str
    name: str
    created_us: Instant
    balance: int
    """Credits that can be spent: those held are not among them."""
    held: int
    granted: int
    """Sum of the ledger's entries, kept in the write that appends each."""
    used: int
    """Sum of what calls were charged."""
    usage: dict[str, Usage] = field(default_factory=dict)
    """By month, `YYYY-MM` in UTC, of live and test keys together."""
    keys: tuple[KeyRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account as the holder of one of its keys may see it."""

    account: Account
    key: KeyRecord
    rate: RateLimitStatus


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the append-only ledger: who put in, or took out, how much and why."""

    entry_id: str
    account_id: str
    kind: EntryKind
    credits: int
    at_us: Instant
    note: str = ""


@dataclass(frozen=True, slots=True)
class AccountWithLedger:
    """An account and its whole ledger, both as of the same moment."""

    account: Account
    entries: tuple[LedgerEntry, ...]
    """Oldest first."""


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The first call under one `Idempotency-Key`, scoped to one API key."""

    account_id: str
    scope: str
    """SHA-256 of the API key's digest and the header's value."""
    fingerprint: str
    """SHA-256 of the image's bytes and the parameters."""
    hold_id: str
    """The hold of the call that owns the record."""
    done: bool
    """Whether that call was answered with a picture and charged."""
    lease_until_us: Instant
    """When another call may take over, if this one is not done: its hold's expiry."""
    forget_us: Instant
    """When the record stops counting: 24 h after the first call."""

    def counts(self, now_us: Instant) -> bool:
        """Tell whether another call must respect the record, by the clock of any machine."""
        past_us = now_us - CLOCK_SKEW_US
        return past_us < self.forget_us and (self.done or past_us < self.lease_until_us)
