"""Tables for the terminal and for `BASELINE.md`, one section for each script."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

BASELINE = Path(__file__).with_name("BASELINE.md")
HEAD = """# Baseline

What the benchmarks measured when they last ran, each section in one run on one machine. Times
are medians of paired runs; compare ratios, not milliseconds.
"""


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write a Markdown table whose columns also line up in a terminal."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def machine() -> str:
    """Tell what the figures were measured on."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, {cpu}, Python {platform.python_version()}"


def publish(title: str, body: str) -> None:
    """Print a section and put it into the baseline in place of the one of that title."""
    section = f"## {title}\n\n{machine()}\n\n{body}\n"
    print(section)
    known = BASELINE.read_text() if BASELINE.exists() else HEAD
    pattern = re.compile(rf"## {re.escape(title)}\n.*?(?=\n## |\Z)", re.DOTALL)
    if pattern.search(known):
        known = pattern.sub(lambda _: section.rstrip("\n") + "\n", known)
    else:
        known = known.rstrip("\n") + "\n\n" + section
    BASELINE.write_text(known)


def _cpu_lines() -> list[str]:
    info = Path("/proc/cpuinfo")
    return info.read_text().splitlines() if info.exists() else []
