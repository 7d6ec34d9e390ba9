"""HTTP/1.1 on a socket: uvicorn's protocol with time limits, connection limits and JSON errors.

uvicorn has no options for these limits; docs/adr/0017 compares uvicorn with other servers.
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
from bgblur.serving.exchange import error_reply, unread_record
from bgblur.serving.half_close import LINGER_IDLE_S, DisconnectProbe, LingeringClose, reset
from bgblur.serving.http_limits import BoundedConnection
from bgblur.serving.listening import tune_accepted
from bgblur.serving.ports import Observe, guarded, ignore
from bgblur.serving.timers import HEAD_S, STALLED_S, STOP_S, STOPPING_WRITE_S, WRITE_S, Timer
from blur.errors import ApiError, InvalidRequestError, OverloadedError

if TYPE_CHECKING:
    from bgblur.serving.connections import ConnectionTable


class Protocol(H11Protocol):
    """The connection of one client."""

    def __init__(
        self,
        *,
        table: ConnectionTable,
        observe: Observe = ignore,
        **uvicorn: Any,  # noqa: ANN401 - uvicorn passes its own arguments
    ) -> None:
        """Create the state of a new connection."""
        super().__init__(**uvicorn)
        self._http = self.conn = BoundedConnection()
        self.app_state = {**self.app_state, "connection": self}
        self.address = ""
        self.since_s = self.loop.time()
        self.has_key = False
        self.is_refused = False
        """Whether this class has sent an error, so the application must not respond."""
        self.lost = asyncio.Event()
        self._table = table
        self._observe = guarded(observe)
        self._head_timer = Timer(self.loop, self._on_head_timeout)
        self._write_timer = Timer(self.loop, self.abort)
        self._paused_s = 0.0
        self._lingering = LingeringClose(self.lost)
        self._is_stopping = self._has_received = self._is_half_closed = False
        self._has_response = False
        """Whether the whole response was written; the request's body can still be arriving."""
        self._is_body_read = True
        """Whether the application is still reading the request's body."""
        self._linger_task: asyncio.Task[None] | None = None

    @property
    def is_answering(self) -> bool:
        """Whether a request has no complete response yet."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def is_stalled(self) -> bool:
        """Whether the response was written, or the client has not read for `STALLED_S` seconds."""
        if self._lingering.is_active or self._has_response:
            return True
        return self._write_timer.is_running and self.loop.time() - self._paused_s > STALLED_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, unless there are too many connections."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        tune_accepted(transport.get_extra_info("socket"))
        transport.set_write_buffer_limits(0)  # any unsent data causes `pause_writing`
        if self._table.admit(self):
            self._head_timer.start(HEAD_S)
        else:
            self._refuse(OverloadedError(retry_after_s=1), lingers=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers and remove the connection from the table."""
        self._table.remove(self)
        self._head_timer.cancel()
        self.resume_writing()
        self._unset_keepalive_if_required()
        self.lost.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""
        self._has_received = True
        if self._lingering.is_active:
            if not self._lingering.drop(data):
                self.abort()
            return
        was_answering = self.is_answering
        if not was_answering and not self._head_timer.is_running:
            self._head_timer.start(HEAD_S)
        super().data_received(data)
        if self.is_answering:
            self._head_timer.cancel()
            if not self.cycle.more_body and not self.conn.trailing_data[0]:
                # uvicorn pauses reading at the last piece of a large body. The server notices that
                # the client disconnects only while it reads.
                self.flow.resume_reading()
            if not was_answering:
                self._has_response = False
                self.since_s = self.loop.time()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the response if the request is complete."""
        is_waiting = self.is_answering and not self.cycle.more_body
        if keep := is_waiting and not self._lingering.is_active:
            self._is_half_closed = True
            self._close_after_last()
            DisconnectProbe(self.transport, self.conn, lambda: self.is_answering).send()
        return keep

    def _close_after_last(self) -> None:
        """Close after the response to the last complete request, or now if there is none."""
        if not self.is_answering or self.cycle.more_body:
            self.transport.close()
        elif not self.conn.trailing_data[0]:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        """Limit the time that the client can take to read."""
        super().pause_writing()
        self._paused_s = self.loop.time()
        self._start_write_timer()

    def resume_writing(self) -> None:
        """Stop the time limit and resume writing: all bytes written so far have been sent."""
        self._write_timer.cancel()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Continue with the next request, or close if the client will send no more requests."""
        self.since_s = self.loop.time()
        self._is_body_read = True
        super().on_response_complete()
        if self._is_half_closed and not self.transport.is_closing():
            self._close_after_last()

    def send_400_response(self, msg: str) -> None:
        """Send an error for invalid HTTP, unless the application no longer reads the body."""
        if self.is_answering and not self._is_body_read:
            self.cycle.keep_alive = False
            self._start_lingering()
            return
        self._refuse(InvalidRequestError(self._http.fault or msg))

    def shutdown(self) -> None:
        """Close after the current response; without one, wait `STOP_S` seconds for a request."""
        self._is_stopping = True
        if self._write_timer.is_running:
            self._start_write_timer()
        if self.is_answering:
            self.cycle.keep_alive = False
        else:
            self._unset_keepalive_if_required()
            self.loop.call_later(STOP_S, self._close_if_idle)

    def mark_known_key(self) -> None:
        """Record that a request had a known key; connections with a known key are closed last."""
        self.has_key = True

    def watch(self) -> None:
        """Keep reading, to notice when the client disconnects."""
        self._is_body_read = False
        self.flow.resume_reading()

    def mark_responded(self) -> None:
        """Until the next request, allow the server to close this connection to make space."""
        self._has_response = True

    def abort(self) -> None:
        """Reset the connection; the client does not get the rest of the response."""
        if self.transport is not None:
            reset(self.transport)

    def evict(self) -> None:
        """Close this connection to make space for a new one."""
        is_idle = not self._write_timer.is_running and not self._lingering.is_active
        if is_idle and not self.is_answering:
            self.transport.close()
        else:
            # `transport.abort` drops unsent data and does not wait for the client. `self.abort` is
            # not used here, because it resets the connection: an attacker would connect again
            # immediately.
            self.transport.abort()

    async def linger(self) -> None:
        """Discard the rest of the request while the client reads the response; then disconnect."""
        await self.flow.drain()
        if self.lost.is_set():
            return
        self._start_lingering()
        with suppress(OSError):  # the client has closed the connection
            self.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        await self._lingering.wait(lambda: STOP_S if self._is_stopping else LINGER_IDLE_S)
        self.transport.close()

    def _start_write_timer(self) -> None:
        self._write_timer.start(STOPPING_WRITE_S if self._is_stopping else WRITE_S)

    def _start_lingering(self) -> None:
        self._lingering.start()
        self.flow.resume_reading()

    def _close_if_idle(self) -> None:
        if self.is_answering:
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def _on_head_timeout(self) -> None:
        if self._has_received:
            message = f"The request's head did not arrive within {HEAD_S} seconds."
            self._refuse(InvalidRequestError(message))
        else:
            self.transport.close()

    def _refuse(self, error: ApiError, *, lingers: bool = True) -> None:
        """Send an error and close the connection; if a response has started, only close it."""
        self.is_refused = True
        self._head_timer.cancel()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return
        path = self.scope["path"] if self.is_answering else None
        reply = error_reply(error, request_id := str(uuid.uuid4()), path=path)
        record = unread_record(request_id, reply, error)
        log_response(record)
        self._observe(record, 0.0)
        self.transport.write(self._http.reply_bytes(reply))
        if not lingers:
            self.transport.close()
            return
        if self.is_answering:  # the application is waiting for the body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._start_lingering()
        self._linger_task = self.loop.create_task(self.linger())
