"""How far the clocks of two machines can differ without an error in the accounts.

Where an instant of one machine is compared with the clock of another, this difference is allowed
for: a hold or a lease is taken over only `CLOCK_SKEW_US` after its end. NTP keeps clocks within
milliseconds of each other; the allowance is for a machine whose clock has started to drift.
"""

from __future__ import annotations

CLOCK_SKEW_S = 5
CLOCK_SKEW_US = CLOCK_SKEW_S * 1_000_000
