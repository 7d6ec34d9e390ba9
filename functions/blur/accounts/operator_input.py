"""Checks of the values that operators enter; every store calls these checks before a write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.account_bounds import (
    MAX_ACCOUNT_ID_CHARS,
    MAX_BURST,
    MAX_CREDITS,
    MAX_ENTRY_ID_CHARS,
    MAX_NAME_CHARS,
    MAX_NOTE_CHARS,
    MAX_PER_MINUTE,
    MAX_TTL_S,
    MAX_VALID_KEYS,
)
from blur.accounts.admin_errors import (
    EntryDiffersError,
    InvalidArgumentError,
    TooManyKeysError,
)
from blur.credits import format_credits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blur.account_status import RateLimit
    from blur.accounts.model import Instant, KeyRecord, LedgerEntry


def check_account(account_id: str, name: str = "") -> None:
    """Check an account's id and name.

    Raises:
        InvalidArgumentError: the id is empty, or a text is too long or has characters that cannot
            be printed.

    """
    _check_text("account id", account_id, MAX_ACCOUNT_ID_CHARS, min_chars=1)
    _check_text("name", name, MAX_NAME_CHARS)


def check_entry(entry: LedgerEntry) -> None:
    """Check a ledger entry.

    Raises:
        InvalidArgumentError: the id is empty, or a value is out of bounds.

    """
    check_account(entry.account_id)
    _check_text("entry id", entry.entry_id, MAX_ENTRY_ID_CHARS, min_chars=1)
    _check_text("note", entry.note, MAX_NOTE_CHARS)
    if abs(entry.credits) > MAX_CREDITS:
        most = format_credits(MAX_CREDITS)
        message = f"the credits must be a number from -{most} to {most}"
        raise InvalidArgumentError(message)


def check_key(key: KeyRecord) -> None:
    """Check a new key's account, limit and expiry.

    Raises:
        InvalidArgumentError: a value is out of bounds.

    """
    check_account(key.account_id)
    check_limit(key.limit)
    if key.expires_us is not None:
        lifetime_s = (key.expires_us - key.created_us) // 1_000_000
        _check_number("lifetime of the key in seconds", lifetime_s, 0, MAX_TTL_S)


def check_limit(limit: RateLimit) -> None:
    """Check that the numbers of a rate limit are within their bounds.

    Raises:
        InvalidArgumentError: a number is below 1 or too large.

    """
    _check_number("requests per minute", limit.per_minute, 1, MAX_PER_MINUTE)
    _check_number("burst", limit.burst, 1, MAX_BURST)


def check_number_of_keys(key: KeyRecord, keys: Iterable[KeyRecord], now_us: Instant) -> None:
    """Check that an account that has `keys` can also get the new `key`.

    Raises:
        TooManyKeysError: the account has `MAX_VALID_KEYS` valid keys of the same kind.

    """
    valid = [known for known in keys if known.kind is key.kind and known.is_valid(now_us)]
    if len(valid) >= MAX_VALID_KEYS:
        count = f"{len(valid)} valid {key.kind} keys"
        message = f"account {key.account_id} has {count}; revoke one first"
        raise TooManyKeysError(message)


def check_same_entry(appended: LedgerEntry, entry: LedgerEntry) -> None:
    """Check that a repeated entry is equal to the entry in the ledger, except for time and note.

    Raises:
        EntryDiffersError: the entries differ.

    """
    if (appended.kind, appended.credits) != (entry.kind, entry.credits):
        amount = format_credits(appended.credits)
        message = (
            f"the ledger already has entry {entry.entry_id}: {appended.kind} of {amount} credits"
        )
        raise EntryDiffersError(message)


def text_problem(text: str, max_chars: int, *, min_chars: int = 0) -> str | None:
    """Return what is wrong with an operator's text, or None if the text is valid."""
    if len(text.strip()) < min_chars:
        return "must not be empty"
    if len(text) > max_chars:
        return f"has {len(text)} characters; at most {max_chars} are allowed"
    if not text.isprintable():
        return "has a line break or another character that cannot be printed"
    return None


def _check_text(field: str, text: str, max_chars: int, *, min_chars: int = 0) -> None:
    if problem := text_problem(text, max_chars, min_chars=min_chars):
        message = f"the {field} {problem}"
        raise InvalidArgumentError(message)


def _check_number(field: str, number: int, minimum: int, maximum: int) -> None:
    if not minimum <= number <= maximum:
        message = f"the {field} must be a number from {minimum} to {maximum}"
        raise InvalidArgumentError(message)
