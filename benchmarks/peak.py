"""Blur one photo and print the peak memory of this process in MiB.

python benchmarks/peak.py flat|ground|naive WIDTH HEIGHT
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from subjects import Naive, photo


def main(who: str, width: int, height: int) -> None:
    """Blur one photo and print the peak memory, without the memory for making the photo."""
    data = photo_of_child(width, height)
    if who == "naive":
        Naive.open()(data, 10)
    else:
        ours(data, who)
    print(peak_mib())


def peak_mib() -> float:
    """Return the peak memory of this process; getrusage would include the parent's peak memory."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[0]) / 1024


def photo_of_child(width: int, height: int) -> bytes:
    """Return the photo; a child process makes it, and ends before the measurement starts."""
    from multiprocessing import get_context  # noqa: PLC0415 - the child process does not use this import

    with get_context("spawn").Pool(1) as pool:
        return pool.apply(photo, (width, height))


def ours(data: bytes, depth: str) -> None:
    """Blur the photo as the service does."""
    from ours import blurring, opened  # noqa: PLC0415 - the naive run does not use this import

    blurring(opened(), data, depth=depth)()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
