"""The largest tolerated difference between the clocks of two machines.

Times that one machine stored are compared with the clock of another machine. So a hold is released,
and an idempotency record can be replaced, only `CLOCK_SKEW_US` after its expiry. NTP keeps the
difference within milliseconds; the limit is larger because the clock of a machine can start to
drift.
"""

from __future__ import annotations

CLOCK_SKEW_S = 5
CLOCK_SKEW_US = CLOCK_SKEW_S * 1_000_000
