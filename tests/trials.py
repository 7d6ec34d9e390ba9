"""Records the result of each trial: the fault or attack, its size, and the outcome.

`make reliability` runs every trial at a small size and stores nothing. `make reliability
TRIALS=full` runs every trial at full size and stores each result; docs/results.py then writes
docs/reliability.md.
"""

from __future__ import annotations

import os
from enum import Enum
from typing import TypeVar

from docs.results import Trial, store

FULL = os.environ.get("TRIALS") == "full"
"""Whether the trials run at full size, as with `make reliability TRIALS=full`."""

Size = TypeVar("Size")


class Part(Enum):
    """The headings of docs/reliability.md, each with one table."""

    BAD_INPUT = "Bad input"
    LOAD = "Load and soak"
    FAULTS = "Faults"
    SECURITY = "Security"


def size(small: Size, *, full: Size) -> Size:
    """Return the size of a trial: `full` in a full run, otherwise `small`."""
    return full if FULL else small


def record(part: Part, tried: str, amount: str, happened: str, *, by: str) -> None:
    """Store the result of a trial, in a full run only.

    `by` is the file of the trial, relative to the project's root.
    """
    if FULL:
        store(Trial(part.value, tried, amount, happened, by))
