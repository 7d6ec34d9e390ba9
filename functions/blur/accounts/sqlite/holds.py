"""Reads and writes holds in SQLite, in the transaction of the caller.

The module `hold_states` has the states and events of holds.

A row stays in `holds` until its hold expires, even after the call has ended, so that a repeated
reservation finds the row and creates no second hold. This time is long enough, because a hold
lasts longer than any request. A reservation that is repeated even later creates a new hold, which
expires without a charge.
"""

from __future__ import annotations

import sqlite3

from blur.accounts.hold_states import (
    PRICE_LOCATION,
    AccountField,
    HoldEvent,
    HoldState,
    event_at,
    next_state,
    released_until_us,
)
from blur.accounts.model import Hold, Instant, KeyCounts, usage_month
from blur.accounts.sqlite import key_usage
from blur.accounts.sqlite.rows import hold_of
from blur.credits import ZERO


def release_expired(db: sqlite3.Connection, account_id: str, now_us: Instant) -> None:
    """Add the credits of the account's expired holds to its balance; delete its expired rows.

    Both changes are one transaction, so each hold is released exactly once.
    """
    expired = {"id": account_id, "until": released_until_us(now_us), "held": HoldState.HELD}
    (credits_released,) = db.execute(
        """
        SELECT COALESCE(SUM(price_quarters), 0) FROM holds
        WHERE account_id = :id AND expires_us <= :until AND state = :held
        """,
        expired,
    ).fetchone()
    if credits_released:
        _add_to_balance(db, account_id, credits_released)
    db.execute("DELETE FROM holds WHERE account_id = :id AND expires_us <= :until", expired)


def has_expired(db: sqlite3.Connection, account_id: str, now_us: Instant) -> bool:
    """Return whether `release_expired` would change anything."""
    (found,) = db.execute(
        "SELECT EXISTS (SELECT 1 FROM holds WHERE account_id = ? AND expires_us <= ?)",
        (account_id, released_until_us(now_us)),
    ).fetchone()
    return bool(found)


def find(db: sqlite3.Connection, account_id: str, hold_id: str) -> tuple[Hold, HoldState] | None:
    """Return the hold and its state, or None if the table does not have the hold (any more)."""
    row = db.execute(
        "SELECT * FROM holds WHERE account_id = ? AND hold_id = ?", (account_id, hold_id)
    ).fetchone()
    return None if row is None else (hold_of(row), HoldState(row["state"]))


def is_held(db: sqlite3.Connection, hold: Hold, now_us: Instant) -> bool:
    """Return whether the hold is in the state `HELD` and has not expired."""
    found = find(db, hold.account_id, hold.hold_id)
    return found is not None and found[1] is HoldState.HELD and now_us < found[0].expires_us


def create(db: sqlite3.Connection, hold: Hold) -> None:
    """Move the price from the balance to a new hold; the balance must cover the price."""
    _add_to_balance(db, hold.account_id, -hold.price)
    db.execute(
        "INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?)",
        (
            hold.account_id,
            hold.hold_id,
            hold.key_digest,
            hold.price,
            hold.expires_us,
            HoldState.HELD,
        ),
    )


def extend(db: sqlite3.Connection, hold: Hold) -> None:
    """Extend the expiry of a hold, if its state is `HELD` and the new expiry is later."""
    db.execute(
        """
        UPDATE holds SET expires_us = MAX(expires_us, ?)
        WHERE account_id = ? AND hold_id = ? AND state = ?
        """,
        (hold.expires_us, hold.account_id, hold.hold_id, HoldState.HELD),
    )


def end(
    db: sqlite3.Connection, hold: Hold, event: HoldEvent, now_us: Instant, counts: KeyCounts
) -> HoldState | None:
    """Apply the event and return the state after it, or None if the hold is already deleted.

    If `event` ends the hold, `counts` is added to the key's usage. Nothing is added if the hold has
    expired and `event` is SETTLE.
    """
    found = find(db, hold.account_id, hold.hold_id)
    if found is None:
        return None
    stored, state = found
    event_now = event_at(event, stored.expires_us, now_us)
    after = next_state(state, event_now)
    if after is not state:
        db.execute(
            "UPDATE holds SET state = ? WHERE account_id = ? AND hold_id = ?",
            (after, stored.account_id, stored.hold_id),
        )
        if PRICE_LOCATION[after] is AccountField.USED:
            _add_to_usage(db, stored, now_us)
        else:
            _add_to_balance(db, stored.account_id, stored.price)
        if event_now is event and any(counts):
            exact = counts._replace(credits=stored.price if counts.calls else ZERO)
            key_usage.add(db, stored, exact, now_us)
    return after


def _add_to_usage(db: sqlite3.Connection, hold: Hold, now_us: Instant) -> None:
    db.execute(
        "UPDATE accounts SET used_quarters = used_quarters + ? WHERE account_id = ?",
        (hold.price, hold.account_id),
    )
    db.execute(
        """
        INSERT INTO usage VALUES (?, ?, 1, ?)
        ON CONFLICT DO UPDATE SET calls = calls + 1, quarters = quarters + excluded.quarters
        """,
        (hold.account_id, usage_month(now_us), hold.price),
    )


def _add_to_balance(db: sqlite3.Connection, account_id: str, amount: int) -> None:
    db.execute(
        "UPDATE accounts SET balance_quarters = balance_quarters + ? WHERE account_id = ?",
        (amount, account_id),
    )
