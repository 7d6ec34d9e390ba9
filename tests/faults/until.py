"""Waits until a condition is true, with a time limit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S = 60


def until(holds: Callable[[], bool]) -> None:
    """Wait until the condition is true; fail after `WAIT_S` seconds."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"the condition was not true within {WAIT_S} s"
        time.sleep(0.02)
