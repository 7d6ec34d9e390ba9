"""HTTP/1.1 on a socket: uvicorn's protocol, with time-outs, limits and the contract's errors.

uvicorn alone waits without end for a head that drips in and for a client that does not read, has
no limit for a client's connections, answers bad HTTP in plain text, takes a client that has closed
its sending side for gone, and closes connections at a stop although their request is on its way
(docs/adr/0017).
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from bgblur.serving.access_log import log_response
from bgblur.serving.asgi import Observe, error_reply, ignore
from bgblur.serving.http_limits import BoundedConnection
from blur.api.router import UNROUTED
from blur.errors import ApiError, InvalidRequestError, OverloadedError

if TYPE_CHECKING:
    from bgblur.serving.connections import ConnectionTable
    from bgblur.serving.proxy import Reply

HEAD_S = 10
"""How long a request's head can take, from its first byte, or from the connection's."""

WRITE_S = 30
"""How long a client can take to read one slice of an answer (`asgi.SLICE_BYTES`)."""

STALLED_S = 3
"""After how long without reading its connection can close for a new one."""

STOPPING_WRITE_S = 5
"""The same while the server stops."""

PROBE_S = 0.5
"""How often a client that has closed its sending side is sent something, to see if it is there."""

FIRST_PROBE_S = 0.05
"""The first pause; each later one is twice as long, up to `PROBE_S`."""

STOP_S = 0.5
"""How long a stopping server still listens to clients that have sent nothing yet."""

LINGER_S = 30
LINGER_IDLE_S = 3
"""How long the rest of a request is read and dropped after its answer, in all and in a pause. A
client that is cut off while it sends can lose the answer."""

MAX_DROPPED_BYTES = 100_000_000

UNSENT_BYTES = 131_072
"""What the system can keep unsent, so that a slow reader's progress shows here soon."""


class Protocol(H11Protocol):
    """One connection."""

    def __init__(
        self,
        *,
        table: ConnectionTable,
        observe: Observe = ignore,
        **uvicorn: Any,  # noqa: ANN401
    ) -> None:
        """Start with nothing received."""
        super().__init__(**uvicorn)
        self._http = self.conn = BoundedConnection()
        self.app_state = {**self.app_state, "connection": self}
        self.address = ""
        self.since_s = self.loop.time()
        self.has_key = False
        self.is_refused = False
        """Whether the request was answered here, and not by the application."""
        self.lost = asyncio.Event()
        self._table = table
        self._observe = observe
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._paused_s = 0.0
        self._dropped_bytes: int | None = None
        self._is_stopping = self._has_received = self._is_half_closed = False
        self._has_response = False
        """Whether the whole answer was written, though the request's body has not ended."""
        self._is_body_read = True
        """Whether the application can still ask for the rest of the request's body."""
        self._lingering: asyncio.Task[None] | None = None

    @property
    def is_answering(self) -> bool:
        """Whether a request is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def is_stalled(self) -> bool:
        """Whether its client has its answer, or has not read for a while what it was sent."""
        if self._dropped_bytes is not None or self._has_response:
            return True
        return self._write_timer is not None and self.loop.time() - self._paused_s > STALLED_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        set_options(transport.get_extra_info("socket"))
        transport.set_write_buffer_limits(0)  # so that each pause is noticed, also the last one
        if self._table.admit(self):
            self._start_head_timer()
        else:
            self._refuse(OverloadedError(retry_after_s=1), lingers=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._table.remove(self)
        self._cancel_head_timer()
        self.resume_writing()
        self._unset_keepalive_if_required()
        self.lost.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._has_received = True
        if self._dropped_bytes is not None:
            self._drop(data)
            return
        was_answering = self.is_answering
        if not was_answering and self._head_timer is None:
            self._start_head_timer()
        super().data_received(data)
        if self.is_answering:
            self._cancel_head_timer()
            if not self.cycle.more_body and not self.conn.trailing_data[0]:
                # uvicorn stops reading a large body at its last piece, too. Only who reads on
                # notices that the client disconnects.
                self.flow.resume_reading()
            if not was_answering:
                self._has_response = False
                self.since_s = self.loop.time()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the answer if the request is complete.

        A client that has closed its sending side alone still reads. One that has closed both looks
        the same until something is sent to it; then its system resets the connection.
        """
        keep = self._dropped_bytes is None and self.is_answering and not self.cycle.more_body
        if keep:
            self._is_half_closed = True
            self._close_after_last()
            self._probe()
        return keep

    def _close_after_last(self) -> None:
        """Close after this answer, or now, if no other whole request was sent before."""
        if not self.is_answering or self.cycle.more_body:
            self.transport.close()
        elif not self.conn.trailing_data[0]:
            self.cycle.keep_alive = False

    def _probe(self, pause_s: float = FIRST_PROBE_S) -> None:
        """Send interim responses, which clients ignore (RFC 9110, 15.2.1), while one waits.

        The first one makes the system of a client that has gone reset the connection; the second
        one notices that.
        """
        if self.transport.is_closing():
            return
        http = self.conn
        waits = self.is_answering and http.our_state is h11.SEND_RESPONSE
        if waits and http.their_http_version == b"1.1":
            interim = h11.InformationalResponse(status_code=100, reason="Continue", headers=[])
            self.transport.write(http.send(interim) or b"")
        self.loop.call_later(pause_s, self._probe, min(2 * pause_s, PROBE_S))

    def pause_writing(self) -> None:
        """Give the client a limited time to read."""
        super().pause_writing()
        self._paused_s = self.loop.time()
        self._start_write_timer()

    def resume_writing(self) -> None:
        """Go on: all that was written is on its way."""
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        self.since_s = self.loop.time()
        self._is_body_read = True
        super().on_response_complete()
        if self._is_half_closed and not self.transport.is_closing():
            self._close_after_last()

    def send_400_response(self, msg: str) -> None:
        """Answer bad HTTP, unless the application answers already and reads no more of it."""
        if self.is_answering and not self._is_body_read:
            self.cycle.keep_alive = False
            self._start_dropping()
            return
        self._refuse(InvalidRequestError(self._http.fault or msg))

    def shutdown(self) -> None:
        """Close after the answer that is owed; wait a moment for a request that is on its way."""
        self._is_stopping = True
        if self._write_timer is not None:
            self._start_write_timer()
        if self.is_answering:
            self.cycle.keep_alive = False
        else:
            self._unset_keepalive_if_required()
            self.loop.call_later(STOP_S, self._close_if_idle)

    def mark_known_key(self) -> None:
        """Prefer this connection to those without a key."""
        self.has_key = True

    def watch(self) -> None:
        """Read on, although no more of the request is used, to notice when the client leaves."""
        self._is_body_read = False
        self.flow.resume_reading()

    def mark_answered(self) -> None:
        """Let this connection be closed for another one, until its next request."""
        self._has_response = True

    def abort(self) -> None:
        """Close at once, without sending what is still to be sent."""
        if self.transport is not None:
            self.transport.abort()

    def evict(self) -> None:
        """Close for another connection."""
        is_idle = self._write_timer is None and self._dropped_bytes is None
        if is_idle and not self.is_answering:
            self.transport.close()
        else:  # closing would wait for the client
            self.abort()

    async def linger(self) -> None:
        """After an answer: drop what the client still sends, until it has read the answer.

        Bytes that are left unread in a socket that closes make the system reset the connection,
        and the client loses the answer.
        """
        await self.flow.drain()
        if self.lost.is_set():
            return
        self._start_dropping()
        with suppress(OSError):  # the client has closed its side already
            self.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        latest_s, dropped = self.loop.time() + LINGER_S, -1
        while self.loop.time() < latest_s and dropped < (self._dropped_bytes or 0):
            dropped = self._dropped_bytes or 0
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S if self._is_stopping else LINGER_IDLE_S):
                    await self.lost.wait()
                    return

    def _start_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
        limit_s = STOPPING_WRITE_S if self._is_stopping else WRITE_S
        self._write_timer = self.loop.call_later(limit_s, self.abort)

    def _start_dropping(self) -> None:
        self._dropped_bytes = self._dropped_bytes or 0
        self.flow.resume_reading()

    def _drop(self, data: bytes) -> None:
        self._dropped_bytes = (self._dropped_bytes or 0) + len(data)
        if self._dropped_bytes > MAX_DROPPED_BYTES:
            self.abort()

    def _close_if_idle(self) -> None:
        if self.is_answering:
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self._on_head_timeout)

    def _on_head_timeout(self) -> None:
        if self._has_received:
            message = f"The request's head did not arrive within {HEAD_S} seconds."
            self._refuse(InvalidRequestError(message))
        else:
            self.transport.close()

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, error: ApiError, *, lingers: bool = True) -> None:
        """Answer and close, if no answer has started."""
        self.is_refused = True
        self._cancel_head_timer()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return
        request_id = str(uuid.uuid4())
        log_response(request_id=request_id, status=int(error.status), code=error.code)
        reply = error_reply(error, request_id)
        self._observe(UNROUTED, reply, 0.0)
        for event in _events(reply):
            self.transport.write(self.conn.send(event) or b"")
        if not lingers:
            self.transport.close()
            return
        if self.is_answering:  # the application waits for a body that it will not get
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._start_dropping()
        self._lingering = self.loop.create_task(self._linger_and_close())

    async def _linger_and_close(self) -> None:
        await self.linger()
        self.transport.close()


def set_options(accepted: socket.socket) -> None:
    """Send small answers at once, and let the system keep little that is unsent.

    asyncio sets TCP_NODELAY only on sockets whose protocol is named, and those of
    `socket.create_server` have none.
    """
    if accepted.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with suppress(OSError):  # the client has gone already
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def _events(reply: Reply) -> tuple[Any, ...]:
    return (
        h11.Response(status_code=reply.status, headers=[*reply.headers, (b"connection", b"close")]),
        h11.Data(data=reply.body),
        h11.EndOfMessage(),
    )
