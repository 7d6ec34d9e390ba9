"""Measure how time and memory increase with the photo's size."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import report
from ours import blurring
from paired import seconds
from subjects import photo

if TYPE_CHECKING:
    from blur.imaging.matting.session import Model

GROWTH = ((3264, 2448), (4000, 3000), (5656, 4242), (8000, 6000))
NAIVE_UP_TO_PX = 20_000_000
"""The naive service is not measured with larger photos: each of them would take minutes."""


def peak_mib(script: str, *arguments: object) -> float:
    """Run a script in a separate process, and return the process's peak memory in MiB."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    return float(subprocess.check_output(command, text=True).split()[-1])  # noqa: S603 - runs our own script


def naive_mib(width: int, height: int) -> str:
    """Return the naive service's peak memory; an empty string for sizes that are not measured."""
    if width * height > NAIVE_UP_TO_PX:
        return ""
    return f"{peak_mib('peak.py', 'naive', width, height):.0f}"


def growth(model: Model) -> str:
    """Return the table of time and memory by the photo's size."""
    rows, first = [], None
    for width, height in GROWTH:
        data, pixels = photo(width, height), width * height
        took = statistics.median(seconds(blurring(model, data)) for _ in range(5))
        first = first or took / pixels
        rows.append(
            (
                f"{pixels / 1e6:.0f} MP",
                f"{1000 * took:.0f}",
                f"{took / pixels / first:.2f}",
                f"{peak_mib('peak.py', 'flat', width, height):.0f}",
                naive_mib(width, height),
            )
        )
    head = (
        "photo",
        "ms",
        "time per pixel, first row = 1",
        "peak RSS, MiB",
        "peak RSS of the naive service, MiB",
    )
    return report.table(head, rows)
