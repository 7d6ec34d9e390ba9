"""h11, the HTTP/1.1 parser, with limits for headers and chunks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import h11

if TYPE_CHECKING:
    from bgblur.serving.proxy_events import Reply

MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 128

FREE_CHUNKS = 1_000
MIN_CHUNK_BYTES = 256
"""The minimum average size of chunks after the first `FREE_CHUNKS`. Parsing a chunk takes about 20
µs, so chunks of one byte would keep the event loop busy."""

_ABSOLUTE_FORM = re.compile(rb"https?://[^/?#]*(.*)", re.IGNORECASE)


class BoundedConnection(h11.Connection):
    """The HTTP state of one connection; if a limit is exceeded, it raises `RemoteProtocolError`."""

    def __init__(self) -> None:
        """Create the state of the server's side of a connection."""
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self.fault = ""
        """The message for the client, if the request exceeded a limit of this class."""
        self._chunks = self._body_bytes = 0

    def next_event(self) -> Any:  # noqa: ANN401 - h11 has this signature
        """Return the next event.

        Raises: h11.RemoteProtocolError: the input is not valid HTTP, or exceeds a limit.

        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._check_head(event)
            return _in_origin_form(event)
        if isinstance(event, h11.Data):
            self._check_chunk(event)
        return event

    def reply_bytes(self, reply: Reply) -> bytes:
        """Return the bytes of a response that closes the connection."""
        headers = [*reply.headers, (b"connection", b"close")]
        events = (
            h11.Response(status_code=reply.status, headers=headers),
            h11.Data(data=reply.body),
            h11.EndOfMessage(),
        )
        return b"".join(self.send(event) or b"" for event in events)

    def _check_head(self, request: h11.Request) -> None:
        self._chunks = self._body_bytes = 0
        names = {name for name, _ in request.headers}
        if len(request.headers) > MAX_HEADERS:
            self._reject(f"The request has more than {MAX_HEADERS} headers.")
        if {b"content-length", b"transfer-encoding"} <= names:  # RFC 9112, 6.1
            self._reject("Send either Content-Length or Transfer-Encoding, not both.")

    def _check_chunk(self, data: h11.Data) -> None:
        self._chunks += data.chunk_start
        self._body_bytes += len(data.data)
        if self._chunks > FREE_CHUNKS + self._body_bytes // MIN_CHUNK_BYTES:
            self._reject(
                f"The chunks are too small. Send {MIN_CHUNK_BYTES} bytes or more per chunk."
            )

    def _reject(self, fault: str) -> None:
        self.fault = fault
        raise h11.RemoteProtocolError(fault)


def _in_origin_form(request: h11.Request) -> h11.Request:
    """Turn the target `http://host/path` into `/path` (RFC 9112, 3.2.2)."""
    match = _ABSOLUTE_FORM.fullmatch(request.target)
    if match is None:
        return request
    path = match[1] if match[1].startswith(b"/") else b"/" + match[1]
    return h11.Request(
        method=request.method,
        headers=request.headers,
        target=path,
        http_version=request.http_version,
    )
