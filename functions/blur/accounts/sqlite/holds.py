"""Moving credits between balance, hold and usage, inside a transaction of the caller's.

A hold's row is `held` until the call ends it as `settled` or `refunded`. An ended row stays
until its expiry, so that a repeated reserve finds its hold and takes no credit again. That is
long enough: the hold outlives the longest request, so nobody repeats it later on purpose, and
should it happen all the same, the new hold has no owner and expires uncharged.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from blur.accounts.model import SECOND_US, Claim, Hold, Instant
from blur.accounts.sqlite.rows import hold_of
from blur.skew import CLOCK_SKEW_US


def bring_home(db: sqlite3.Connection, account_id: str, now_us: Instant) -> None:
    """Return the credits of the account's expired holds and forget all expired rows.

    Both happen in one transaction, so each hold is released exactly once. A hold is left alone
    for `CLOCK_SKEW_US` after its expiry: another clock can still see it as valid.
    """
    expired = (account_id, now_us - CLOCK_SKEW_US)
    (credits_home,) = db.execute(
        """
        SELECT COALESCE(SUM(price), 0) FROM holds
        WHERE account_id = ? AND expires_us <= ? AND state = 'held'
        """,
        expired,
    ).fetchone()
    if credits_home:
        _add_to_balance(db, account_id, credits_home)
    db.execute("DELETE FROM holds WHERE account_id = ? AND expires_us <= ?", expired)


def has_expired(db: sqlite3.Connection, account_id: str, now_us: Instant) -> bool:
    """Return whether `bring_home` would change anything."""
    (found,) = db.execute(
        "SELECT EXISTS (SELECT 1 FROM holds WHERE account_id = ? AND expires_us <= ?)",
        (account_id, now_us - CLOCK_SKEW_US),
    ).fetchone()
    return bool(found)


def find(db: sqlite3.Connection, account_id: str, hold_id: str) -> tuple[Hold, str] | None:
    """Return the hold and its state, if it is remembered."""
    row = db.execute(
        "SELECT * FROM holds WHERE account_id = ? AND hold_id = ?", (account_id, hold_id)
    ).fetchone()
    return None if row is None else (hold_of(row), row["state"])


def is_held(db: sqlite3.Connection, hold: Hold, now_us: Instant) -> bool:
    """Return whether the call under this hold has neither ended nor expired."""
    found = find(db, hold.account_id, hold.hold_id)
    return found is not None and found[1] == "held" and now_us < found[0].expires_us


def take(db: sqlite3.Connection, claim: Claim, now_us: Instant) -> Hold:
    """Move the price from the balance, which must cover it, to a new hold."""
    hold = Hold(
        hold_id=claim.hold_id,
        account_id=claim.account_id,
        key_digest=claim.key_digest,
        price=claim.price,
        expires_us=Instant(now_us + claim.hold_ttl_us),
    )
    _add_to_balance(db, hold.account_id, -hold.price)
    db.execute(
        "INSERT INTO holds VALUES (?, ?, ?, ?, ?, 'held')",
        (hold.account_id, hold.hold_id, hold.key_digest, hold.price, hold.expires_us),
    )
    return hold


def settle(db: sqlite3.Connection, hold: Hold, now_us: Instant) -> int:
    """Charge the hold unless it has expired; return what it was charged, now or before."""
    found = find(db, hold.account_id, hold.hold_id)
    if found is None:
        return 0
    hold, state = found
    if state == "held" and now_us < hold.expires_us:
        _end(db, hold, "settled")
        _count(db, hold, now_us)
        return hold.price
    if state == "held":
        refund(db, hold)
    return hold.price if state == "settled" and now_us < hold.expires_us else 0


def refund(db: sqlite3.Connection, hold: Hold) -> None:
    """Move the price back to the balance, if it is still held."""
    found = find(db, hold.account_id, hold.hold_id)
    if found is not None and found[1] == "held":
        _end(db, found[0], "refunded")
        _add_to_balance(db, hold.account_id, found[0].price)


def _end(db: sqlite3.Connection, hold: Hold, state: str) -> None:
    db.execute(
        "UPDATE holds SET state = ? WHERE account_id = ? AND hold_id = ?",
        (state, hold.account_id, hold.hold_id),
    )


def _count(db: sqlite3.Connection, hold: Hold, now_us: Instant) -> None:
    db.execute(
        "UPDATE accounts SET used = used + ? WHERE account_id = ?", (hold.price, hold.account_id)
    )
    db.execute(
        """
        INSERT INTO usage VALUES (?, ?, 1, ?)
        ON CONFLICT DO UPDATE SET calls = calls + 1, credits = credits + excluded.credits
        """,
        (hold.account_id, _month(now_us), hold.price),
    )


def _add_to_balance(db: sqlite3.Connection, account_id: str, amount: int) -> None:
    db.execute(
        "UPDATE accounts SET balance = balance + ? WHERE account_id = ?", (amount, account_id)
    )


def _month(now_us: Instant) -> str:
    return datetime.fromtimestamp(now_us // SECOND_US, UTC).strftime("%Y-%m")
