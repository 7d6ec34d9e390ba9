"""Converts stored requests to events. A stored request is bytes, which a fuzzer can change.

The first line is the method and the path. Then come the headers, an empty line and the body. If
the method ends in `!`, the event's body is text; if it ends in `?`, the event has only
multi-value headers.
"""

from __future__ import annotations

import base64
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

from events import make
from tests.attack.target import Target, outcome_of

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"$KEY"
"""A placeholder for a valid key, because a fuzzer does not find a valid checksum by chance."""
LIMIT_S = 1.0
"""The limit of CPU time for a request without a complete image."""
FACTOR = 8
"""A request can use memory of this many times the size of the event's body, plus `FREE_BYTES`."""
FREE_BYTES = 4_000_000
"""Memory that a request can use in addition to `FACTOR` times its size, because the first request
that needs a module or a table loads it."""


def event_of(written: bytes) -> dict[str, Any]:
    """Convert a stored request to an event."""
    head, _, body = written.partition(b"\n\n")
    first, *lines = head.replace(KEY, make.FUNDED.encode()).split(b"\n")
    method, _, path = first.decode("latin-1").partition(" ")
    many: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.decode("latin-1").partition(":")
        many.setdefault(name, []).append(value.removeprefix(" "))
    text, only_many = "!" in method, "?" in method
    return {
        **make.event(method.rstrip("!?"), path),
        "headers": None if only_many else {name: values[-1] for name, values in many.items()},
        "multiValueHeaders": many,
        "body": body.decode("latin-1") if text else base64.b64encode(body).decode(),
        "isBase64Encoded": not text,
    }


def attacked(target: Target, event: dict[str, Any]) -> str:
    """Return the outcome of one event.

    Raises:
        AssertionError: the response is not documented, or took too long.

    """
    started = time.process_time()
    outcome = outcome_of(target(event))
    took_s = time.process_time() - started
    assert took_s < LIMIT_S, f"the call took {took_s:.1f} s of CPU time"
    return outcome


def measured(target: Target, event: dict[str, Any]) -> str:
    """Return the outcome of one event; check the memory that the handler uses, not its time.

    Raises:
        AssertionError: the response is not documented, or used too much memory.

    """
    space = FREE_BYTES + FACTOR * len(event.get("body") or "")
    tracemalloc.start()
    try:
        outcome = outcome_of(target(event))
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held < space, f"the call used {held:,} bytes; the limit is {space:,} bytes"
    return outcome


def corpus(folder: Path) -> list[bytes]:
    """Return the stored requests, in the order of their names."""
    return [path.read_bytes() for path in sorted(folder.iterdir())]
