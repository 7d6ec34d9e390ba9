"""HTTP/1.1 on a socket: uvicorn's protocol, with less patience and answers of the contract.

uvicorn waits for ever for a head that drips in, answers what is no HTTP in plain text, takes a
client that has closed its sending side for gone, and at a stop closes connections whose request
is on its way. RFC 9112 asks for nothing else; our clients do.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from bgblur.serving.asgi import refusal
from blur.errors import ApiError, InvalidRequestError, OverloadedError

if TYPE_CHECKING:
    from bgblur.serving.proxy import Reply

HEAD_S = 10
"""How long a request's head may take, from its first byte, or from the connection's."""

CONNECTIONS = 512
"""How many may be open. Each has a buffer and a file of the process, which may have 1,024."""

STOP_S = 0.5
"""How long a stopping server still listens to clients that have sent nothing yet."""


class Protocol(H11Protocol):
    """One connection."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(OverloadedError(retry_after_s=1))
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if not self._answering() and self._head_timer is None:
            self._expect_head()
        super().data_received(data)
        if self._answering():
            self._head_came()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the answer if the request is whole: only its sender is done."""
        keep = self._answering() and not self.cycle.more_body
        if keep:
            self.cycle.keep_alive = False
        return keep

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(InvalidRequestError(msg))

    def shutdown(self) -> None:
        """Close after the answer that is owed; wait a moment for a request that is on its way."""
        if self._answering():
            self.cycle.keep_alive = False
        else:
            self._unset_keepalive_if_required()
            self.loop.call_later(STOP_S, self._close_if_idle)

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._answering():
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def _expect_head(self) -> None:
        message = f"The request's head did not arrive within {HEAD_S} seconds."
        self._head_timer = self.loop.call_later(HEAD_S, self._refuse, InvalidRequestError(message))

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, error: ApiError) -> None:
        """Answer and close, wherever in the exchange that still makes sense."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in _events(refusal(error, str(uuid.uuid4()))):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _events(reply: Reply) -> tuple[Any, ...]:
    return (
        h11.Response(status_code=reply.status, headers=[*reply.headers, (b"connection", b"close")]),
        h11.Data(data=reply.body),
        h11.EndOfMessage(),
    )
