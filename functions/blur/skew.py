"""The largest tolerated difference between the clocks of two machines.

A comparison of one machine's time with another machine's clock allows for this difference: a hold
or a lease counts as expired only `CLOCK_SKEW_US` after its expiry. NTP keeps clocks within
milliseconds; the allowance is for a machine whose clock has started to drift.
"""

from __future__ import annotations

CLOCK_SKEW_S = 5
CLOCK_SKEW_US = CLOCK_SKEW_S * 1_000_000
