"""The time limits for a request's head and for writing, and a timer.

`body` limits the time for a request's body, and `half_close` the time for closing a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

HEAD_S = 10
"""The time limit for a request's head, from its first byte; for the first request, from the start
of the connection."""

WRITE_S = 30
"""The time limit for a client to read one slice of a response (`exchange.SLICE_BYTES`)."""

STALLED_S = 3
"""If a client has not read for this time, its connection can be closed to accept a new client."""

STOPPING_WRITE_S = 5
"""The time limit that replaces `WRITE_S` while the server stops."""

STOP_S = 0.5
"""The time for which a stopping server waits for data from a client."""


class Timer:
    """Calls a function once after a time, unless it is cancelled."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        """Set the function that the timer will call; `start` starts the timer."""
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        """Whether the timer was started, and was not cancelled after that."""
        return self._handle is not None

    def start(self, seconds: float) -> None:
        """Start, or restart, the timer."""
        self.cancel()
        self._handle = self._loop.call_later(seconds, self._callback)

    def cancel(self) -> None:
        """Cancel the call, unless it has already happened."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
