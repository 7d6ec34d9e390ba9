"""The machine's clock, read in one place; everything below is told the time."""

from __future__ import annotations

import time

from blur.accounts.model import Instant


def now() -> Instant:
    """Return this instant, in microseconds since 1970-01-01 UTC."""
    return Instant(time.time_ns() // 1000)
