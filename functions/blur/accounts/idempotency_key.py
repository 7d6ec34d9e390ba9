"""An idempotency key, the record of its first call, and the time to wait while this call runs.

`repeats` has the keys that are derived from a request without an `Idempotency-Key`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from blur.accounts.model import SECOND_US, Hold, IdempotencyRecord, Instant
from blur.skew import CLOCK_SKEW_US

REMEMBER_US = 24 * 3600 * SECOND_US
"""How long the record of a client's `Idempotency-Key` is kept after the first call."""
MIN_RETRY_AFTER_S, MAX_RETRY_AFTER_S = 2, 30
"""The limits of the time to wait before a retry, while the first call with the key runs."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The value of the `Idempotency-Key` header, or a value derived from the request."""

    value: str
    remember_us: int = REMEMBER_US
    """How long the record of the key is kept after the first call."""
    is_derived: bool = False
    """Whether the key is derived because the client has sent none; see `repeats`."""

    def scope(self, key_digest: str) -> str:
        """Return the name of the idempotency record: a digest of the API key and the value."""
        return hashlib.sha256(f"{key_digest}\n{self.value}".encode()).hexdigest()

    def new_record(self, hold: Hold, fingerprint: str, now_us: Instant) -> IdempotencyRecord:
        """Return the record of a call that starts now."""
        return IdempotencyRecord(
            account_id=hold.account_id,
            scope=self.scope(hold.key_digest),
            fingerprint=fingerprint,
            hold_id=hold.hold_id,
            done=False,
            lease_until_us=hold.expires_us,
            forget_us=Instant(now_us + self.remember_us),
        )

    def retry_after_s(self, earlier: IdempotencyRecord, now_us: Instant) -> int:
        """Return the seconds to wait before a retry, while the earlier call with this key runs.

        The time is as long as the earlier call has run so far, within limits. So a client soon gets
        the image of a call that is still running. If the process of the call has ended, the record
        blocks the key until its lease ends, and the client sends only a few requests until
        then, because this time grows with each retry.
        """
        run_us = now_us - (earlier.forget_us - self.remember_us)
        blocked_us = earlier.lease_until_us + CLOCK_SKEW_US - now_us
        most_s = min(MAX_RETRY_AFTER_S, -(-blocked_us // SECOND_US))
        return max(1, min(max(MIN_RETRY_AFTER_S, run_us // SECOND_US), most_s))
