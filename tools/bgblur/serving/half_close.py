"""Ends of connections: clients that close only their sending side, lingering closes and resets."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

import h11

LINGER_S = 30
"""The time limit for reading and dropping the rest of a request after its response."""
LINGER_IDLE_S = 3
"""The longest time without data while the rest of a request is dropped."""
MAX_DROPPED_BYTES = 100_000_000

PROBE_S = 0.5
"""The longest pause between two probes. A probe is an interim response, `100 Continue`."""
FIRST_PROBE_S = 0.05
"""The pause after the first probe; each further pause is twice as long, up to `PROBE_S`."""

DISCARD = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
"""The value of `SO_LINGER` that turns a close into a reset: on, 0 seconds (POSIX, `setsockopt`)."""


def reset(transport: asyncio.Transport) -> None:
    """Reset the connection: the system discards all bytes that it has not sent.

    After a normal close, the system would keep these bytes for minutes if the client does not read,
    and the client would not notice that the connection has ended.
    """
    connection = transport.get_extra_info("socket")
    with suppress(OSError):  # the client has already closed the connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DISCARD)
    transport.abort()


class LingeringClose:
    """Drops the rest of a request after its response.

    If a socket is closed while received bytes are unread, the system resets the connection, and
    the client loses the response.
    """

    def __init__(self, lost: asyncio.Event) -> None:
        """Drop nothing until `start`; the caller sets `lost` when the connection is closed."""
        self._lost = lost
        self._dropped_bytes = 0
        self.is_active = False
        """Whether received bytes are dropped from now on."""

    def start(self) -> None:
        """Drop received bytes from now on."""
        self.is_active = True

    def drop(self, data: bytes) -> bool:
        """Drop received bytes; return False if the total is more than `MAX_DROPPED_BYTES`."""
        self._dropped_bytes += len(data)
        return self._dropped_bytes <= MAX_DROPPED_BYTES

    async def wait(self, idle_s: Callable[[], float]) -> None:
        """Wait until the client disconnects or is silent for `idle_s()` s, at most `LINGER_S` s."""
        clock = asyncio.get_running_loop().time
        deadline_s, dropped_before = clock() + LINGER_S, -1
        while clock() < deadline_s and dropped_before < self._dropped_bytes:
            dropped_before = self._dropped_bytes
            with suppress(TimeoutError):
                async with asyncio.timeout(idle_s()):
                    await self._lost.wait()
                    return


class DisconnectProbe:
    """Detects a client that has closed both sides of its connection, not only its sending side.

    Until the server sends something, it cannot see whether the client has closed both sides or only
    its sending side. Clients ignore interim responses (RFC 9110, 15.2.1). If the client has closed
    both sides, its operating system resets the connection when the first interim response arrives,
    so the server cannot send the second one.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        connection: h11.Connection,
        is_waiting: Callable[[], bool],
    ) -> None:
        """Probe only while `is_waiting()` is true, that is, until the response is complete."""
        self._transport = transport
        self._connection = connection
        self._is_waiting = is_waiting

    def send(self, pause_s: float = FIRST_PROBE_S) -> None:
        """Send a probe if the client is still waiting, and repeat this after growing pauses."""
        if self._transport.is_closing():
            return
        http = self._connection
        is_waiting = self._is_waiting() and http.our_state is h11.SEND_RESPONSE
        if is_waiting and http.their_http_version == b"1.1":
            interim = h11.InformationalResponse(status_code=100, reason="Continue", headers=[])
            self._transport.write(http.send(interim) or b"")
        loop = asyncio.get_running_loop()
        loop.call_later(pause_s, self.send, min(2 * pause_s, PROBE_S))
