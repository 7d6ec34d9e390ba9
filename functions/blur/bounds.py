"""The largest values that settings, the operators' commands and the stores accept.

Every sum, product and date that is computed from them fits 64 bits, an HTTP header, a key of
DynamoDB and a calendar.
"""

from __future__ import annotations

MAX_CREDITS = 10**12
"""In one ledger entry."""
MAX_PRICE = 10**6
MAX_PER_MINUTE = 60_000_000
"""Requests; an emission interval of 1 µs, the shortest one."""
MAX_BURST = 10_000_000
MAX_TTL_S = 100 * 365 * 86_400
"""Lifetime of a key that expires."""
MAX_HOLD_TTL_S = 86_400
MAX_ACCOUNT_ID_CHARS = 64
MAX_ENTRY_ID_CHARS = 128
MAX_NAME_CHARS = 100
MAX_NOTE_CHARS = 500
