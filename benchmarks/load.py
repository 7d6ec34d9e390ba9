"""Measure a server's throughput and response times, and its rejections when it is overloaded.

    make load

The reference is the neural network alone on all cores: one process for each CPU, with one thread,
one session and a prepared tensor. Measurements of the reference and of the server alternate.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import report
from floor import runs_in
from ours import DEFAULT
from served import Served, served
from subjects import photo
from tests import trials

from blur.settings import usable_cpus

HERE = "benchmarks/load.py"
SIZE = (600, 399)
USERS = (1, 2, 4, 8, 16, 32, 64)
ROUNDS = 3
FLOOR_S = 8
STEP_S = 15
TARGET = 0.85
PROMPT_MS = 50
ONE_BY_ONE = 10
"""The number of users who start per second, unless all users start at the same instant."""
LOCUST = (sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py")))


@dataclass(frozen=True)
class Line:
    """Locust's statistics of all responses with the same status."""

    count: int
    per_s: float
    """Responses per second, between the first and the last response with this status."""
    p50_ms: float
    p95_ms: float
    p99_ms: float


def loaded(
    server: Served, users: int, seconds: int = STEP_S, *, a_second: int | None = None
) -> dict[str, Line]:
    """Send photos from `users` users for `seconds` seconds; return the statistics by status.

    If `a_second` is given, this number of users starts per second; otherwise all users start at
    the same instant.

    The statistics are from the end of the run, when all users have their last response; locust's
    CSV files are not used, because locust writes them up to a second earlier.
    """
    with tempfile.TemporaryDirectory() as name:
        image = Path(name) / "photo.jpg"
        image.write_bytes(photo(*SIZE))
        options = ["--headless", "--only-summary", "--host", server.url]
        options += ["--users", str(users), "--spawn-rate", str(a_second or users)]
        options += ["--run-time", f"{seconds}s"]
        options += ["--stop-timeout", "60", "--exit-code-on-error", "0"]
        options += ["--json-file", f"{name}/load"]
        env = {**os.environ, "BLUR_KEY": server.key, "BLUR_PHOTO": str(image)}
        subprocess.run(  # noqa: S603 - runs our own command
            [*LOCUST, *options], env=env, check=True, capture_output=True
        )
        entries = json.loads((Path(name) / "load.json").read_text("utf-8"))
        return {entry["name"]: line(entry) for entry in entries}


def line(entry: dict[str, Any]) -> Line:
    """Return the statistics of a locust entry; locust rounds times to two significant digits."""
    counts = sorted((float(ms), count) for ms, count in entry["response_times"].items())
    times = [ms for ms, count in counts for _ in range(count)]
    span_s = entry["last_request_timestamp"] - entry["start_time"]
    per_s = (len(times) - 1) / span_s if len(times) > 1 else 0.0
    return Line(
        len(times), per_s, *(times[math.ceil(p * len(times)) - 1] for p in (0.5, 0.95, 0.99))
    )


def floor_per_s(model: str) -> float:
    """Return how often the neural network runs per second, on all cores together."""
    cpus = usable_cpus()
    with ProcessPoolExecutor(cpus, mp_context=get_context("spawn")) as pool:
        started = time.time() + 3  # 3 s are enough to start all processes
        work = partial(runs_in, model, started, FLOOR_S)
        return sum(pool.map(work, range(cpus))) / FLOOR_S


def throughput(workers: str) -> str:
    """Compare a busy server with the neural network alone, for u2netp and the default model."""
    users, rows = 4 * usable_cpus(), []
    for model in ("u2netp", DEFAULT):
        with served("--workers", workers, model=model) as server:
            loaded(server, users, 5)
            floors, ours = [], []
            for _ in range(ROUNDS):
                floors.append(floor_per_s(model))
                ours.append(loaded(server, users)["200"].per_s)
        floor, here = statistics.median(floors), statistics.median(ours)
        share = statistics.median(one / other for one, other in zip(ours, floors, strict=True))
        rows.append((model, f"{floor:.1f}", f"{here:.1f}", f"{share:.2f}"))
        trials.record(
            trials.Part.LOAD,
            f"Throughput at 600 x 399 against the network alone on all cores, {model}",
            f"{ROUNDS} x {STEP_S} s, {users} users",
            f"{here:.1f} photos per second, {share:.2f} of the network's runs (target {TARGET})",
            by=HERE,
        )
    share_head = f"throughput relative to the network alone; at least {TARGET}"
    head = ("600 x 399, per second", "network alone", "`bgblur serve`", share_head)
    return report.table(head, rows)


def latencies(server: Served) -> str:
    """Measure the response time for different numbers of users."""
    rows = []
    for users in USERS:
        done = loaded(server, users)["200"]
        rows.append((users, f"{done.per_s:.1f}", done.p50_ms, done.p95_ms, done.p99_ms))
    first, last = rows[0], rows[-1]
    trials.record(
        trials.Part.LOAD,
        "Response time by the number of users",
        f"{USERS[0]} to {USERS[-1]} users, {STEP_S} s each",
        f"with one user {first[2]:,.0f} ms (p50), {first[3]:,.0f} ms (p95) and {first[4]:,.0f} ms "
        f"(p99), with {USERS[-1]} users {last[2]:,.0f}, {last[3]:,.0f} and {last[4]:,.0f} ms; "
        "[all of them](../benchmarks/BASELINE.md#load)",
        by=HERE,
    )
    return report.table(("users", "photos per second", "p50, ms", "p95, ms", "p99, ms"), rows)


def refusals(server: Served) -> str:
    """Send more photos than fit into the queue, and measure the response times of rejections."""
    rows = []
    for how, a_second in (
        ("started one after the other", ONE_BY_ONE),
        ("started at the same instant", None),
    ):
        before = server.audit()
        seen = loaded(server, USERS[-1], a_second=a_second)
        after = server.audit()
        done, refused, charged = seen["200"], seen["503"], before["balance"] - after["balance"]
        rows += [
            (
                f"{USERS[-1]} users, {how}: {status}",
                each.count,
                each.p50_ms,
                each.p95_ms,
                each.p99_ms,
            )
            for status, each in (("200", done), ("503 `overloaded`", refused))
        ]
        trials.record(
            trials.Part.LOAD,
            f"More photos than the queue holds, from users who start {how}",
            f"{USERS[-1]} users, a queue of the default length, {STEP_S} s",
            f"{refused.count:,} rejected, after {refused.p50_ms:.0f} ms (p50), "
            f"{refused.p95_ms:.0f} ms (p95) and {refused.p99_ms:.0f} ms (p99; target {PROMPT_MS}); "
            f"{done.count} blurred, {charged} charged, {after['held']} held",
            by=HERE,
        )
    return report.table(("response", "how many", "p50, ms", "p95, ms", "p99, ms"), rows)


def main() -> None:
    """Measure everything and store the results."""
    workers = str(usable_cpus())
    rates = throughput(workers)
    with served("--workers", workers, "--queue", str(USERS[-1])) as server:
        times = latencies(server)
    with served("--workers", workers) as server:
        full = refusals(server)
    report.publish("Load", f"{rates}\n\n{times}\n\n{full}")


if __name__ == "__main__":
    main()
