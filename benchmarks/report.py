"""Print tables in the terminal, and store them for BASELINE.md, which `make results` writes."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from docs.results import Measurement, store


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table whose columns are also aligned in a terminal."""
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
    """Return the date, and the CPU and the Python version of this machine, as text."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, {cpu}, Python {platform.python_version()}"


def publish(title: str, body: str) -> None:
    """Print a section and store it; later, `make results` writes all sections to BASELINE.md."""
    section = Measurement(title, machine(), body)
    print(f"## {title}\n\n{section.machine}\n\n{body}\n")
    store(section)


def _cpu_lines() -> list[str]:
    info = Path("/proc/cpuinfo")
    return info.read_text().splitlines() if info.exists() else []
