"""The rows of docs/reliability.md: what was tried, how much of it, and what happened.

`make test` runs every trial at a small size and records nothing; `make reliability` runs them
at full size, and each writes the row it has earned.
"""

from __future__ import annotations

import fcntl
import os
from enum import Enum
from typing import TypeVar

from tests.documents import ROOT

PAGE = ROOT / "docs" / "reliability.md"
FULL = os.environ.get("TRIALS") == "full"
"""Whether this run is the one that `make reliability` asks for."""

Size = TypeVar("Size")


class Part(Enum):
    """The page's headings, each with one table."""

    BAD_INPUT = "Bad input"
    LOAD = "Load and soak"
    FAULTS = "Faults"
    SECURITY = "Security"


def size(small: Size, *, full: Size) -> Size:
    """Return how much of a trial this run makes."""
    return full if FULL else small


def record(part: Part, tried: str, amount: str, happened: str, *, by: str) -> None:
    """Put a row into the page, in place of the row of what was `tried`; in a full run only.

    `by` is the file that tried it, relative to the project's root.
    """
    if not FULL:
        return
    row = f"| {tried} | {amount} | {happened} | `{by}` |"
    with PAGE.open("r+", encoding="utf-8") as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        text = with_row(page.read(), part.value, tried, row)
        page.seek(0)
        page.truncate()
        page.write(text)


def with_row(text: str, heading: str, tried: str, row: str) -> str:
    """Return the page with the row in the table under the heading."""
    before, mark, section = text.partition(f"## {heading}\n")
    section, next_mark, after = section.partition("\n## ")
    lines = section.rstrip("\n").splitlines()
    at = next((n for n, line in enumerate(lines) if line.startswith(f"| {tried} |")), None)
    if at is None:
        last = max(n for n, line in enumerate(lines) if line.startswith("|"))
        lines.insert(last + 1, row)
    else:
        lines[at] = row
    return before + mark + "\n".join(lines) + "\n" + next_mark + after
