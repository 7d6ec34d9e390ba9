"""The largest values that settings, commands and stores accept.

With these limits, all computed numbers fit into 64 bits and into HTTP headers, all names fit into
keys of DynamoDB, and all times fit into `datetime`.
"""

from __future__ import annotations

from blur.credits import whole

MAX_CREDITS = whole(10**12)
"""The largest amount of one ledger entry."""
MAX_PRICE = whole(10**6)
MAX_PER_MINUTE = 60_000_000
"""The highest rate: one request per microsecond, because the rate limit counts microseconds."""
MAX_BURST = 10_000_000
MAX_TTL_S = 100 * 365 * 86_400
"""The longest lifetime of a key."""
MAX_HOLD_TTL_S = 86_400
MAX_DEDUPE_S = 86_400
"""The longest time for which the record of a derived key can be kept: 24 hours, like the record of
an `Idempotency-Key` that a client sends."""
MAX_VALID_KEYS = 2
"""The maximum number of valid keys of one kind on one account. The second key is for rotation."""
MAX_ACCOUNT_ID_CHARS = 64
MAX_ENTRY_ID_CHARS = 128
MAX_NAME_CHARS = 100
MAX_NOTE_CHARS = 500
