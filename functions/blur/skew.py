"""How far the clocks of two machines can differ without an error in money.

Every comparison of an instant of one machine with the clock of another one allows for this
difference: a hold or a lease is taken over only `CLOCK_SKEW_US` after its end. NTP keeps clocks
within milliseconds; the allowance is for a machine whose clock has started to drift.
"""

from __future__ import annotations

CLOCK_SKEW_S = 5
CLOCK_SKEW_US = CLOCK_SKEW_S * 1_000_000
