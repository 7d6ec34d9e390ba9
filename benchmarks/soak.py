"""Measure whether the memory of a server grows over 2,000 requests.

    make load

Sizes, kernels and formats are mixed, so that all caches and allocators are full before request 200.
The memory is the sum of the resident sets (RSS) of the front process and its workers.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import psutil
import report
import requests
from served import Served, served
from subjects import photo
from tests import trials

HERE = "benchmarks/soak.py"
REQUESTS = 2000
WORKERS = 2
EARLY = 200
WINDOW = 20
"""The memory is averaged over this number of requests, because it varies from photo to photo."""
TARGET_PERCENT = 5
SIZES = ((320, 240), (600, 399), (399, 600), (800, 600), (1024, 768), (1280, 853), (1920, 1080))
RECIPES = (
    {"radius": "10"},
    {"radius": "50", "format": "jpeg"},
    {"radius": "3", "blur": "bokeh", "format": "webp"},
    {"radius": "0", "mode": "cutout"},
)


def memory_mb(pid: int) -> float:
    """Return the sum of the resident sets of a process and its children, in MB."""
    front = psutil.Process(pid)
    processes = [front, *front.children(recursive=True)]
    total_bytes: int = sum(process.memory_info().rss for process in processes)
    return total_bytes / 1e6


def soaked(server: Served) -> list[float]:
    """Send all requests, two at a time; return the memory after each request, in MB."""
    chance = random.Random(0)  # noqa: S311 - the choice is not a secret
    photos, recipes = [photo(*size) for size in SIZES], cycle(RECIPES)
    orders = [(chance.choice(photos), next(recipes)) for _ in range(REQUESTS)]

    def send(order: tuple[bytes, dict[str, str]]) -> float:
        answer = requests.post(
            f"{server.url}/v2/rembg/blur/",
            headers={"ApiKey": server.key},
            files={"image": order[0]},
            data=order[1],
            timeout=60,
        )
        answer.raise_for_status()
        return memory_mb(server.pid)

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(send, orders))


def mean_at(sizes: list[float], request: int) -> float:
    """Return the mean memory over the last `WINDOW` requests up to this request."""
    window = sizes[request - WINDOW : request]
    return sum(window) / len(window)


def main() -> None:
    """Measure the memory, and store the results."""
    with served("--workers", str(WORKERS)) as server:
        sizes = soaked(server)
        threads = sum(
            process.num_threads()
            for process in (psutil.Process(server.pid), *psutil.Process(server.pid).children())
        )
        files = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    marks = [EARLY, 500, 1000, 1500, REQUESTS]
    growth = 100 * (mean_at(sizes, REQUESTS) / mean_at(sizes, EARLY) - 1)
    rows = [(mark, f"{mean_at(sizes, mark):.0f}") for mark in marks]
    table = report.table(("after request", "memory of the front process and two workers, MB"), rows)
    report.publish(
        "Soak",
        f"{table}\n\nThe memory grew by {growth:+.1f} %; "
        f"{threads} threads, {files} open files at the end.",
    )
    trials.record(
        trials.Part.LOAD,
        "Memory over many photos of mixed sizes, kernels and formats",
        f"{REQUESTS:,} requests",
        f"{mean_at(sizes, EARLY):.0f} MB after {EARLY}, {mean_at(sizes, REQUESTS):.0f} MB after "
        f"{REQUESTS:,}: {growth:+.1f} % (target below {TARGET_PERCENT})",
        by=HERE,
    )


if __name__ == "__main__":
    main()
