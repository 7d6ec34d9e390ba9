"""The machine's clock. Other modules call `now`, or get the time as an argument."""

from __future__ import annotations

import time

from blur.accounts.model import Instant


def now() -> Instant:
    """Return the current time, in microseconds since 1970-01-01 UTC."""
    return Instant(time.time_ns() // 1000)
