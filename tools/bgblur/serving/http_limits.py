"""h11 with limits: HTTP/1.1 as RFC 9112 has it, and no more of it than a client needs."""

from __future__ import annotations

import re
from typing import Any

import h11

MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 128

FREE_CHUNKS = 1_000
MIN_CHUNK_BYTES = 256
"""Beyond the free ones, chunks must have so many bytes on average. Each one costs some 20 µs, so
that chunks of one byte would keep the event loop busy at 1 MB/s."""

_ABSOLUTE_FORM = re.compile(rb"https?://[^/?#]*(.*)", re.IGNORECASE)


class BoundedConnection(h11.Connection):
    """The state of one connection; what goes beyond a limit is a `RemoteProtocolError`."""

    def __init__(self) -> None:
        """Start as a server."""
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self.fault = ""
        """What was wrong with the request, if it was beyond one of our own limits."""
        self._chunks = self._body_bytes = 0

    def next_event(self) -> Any:  # noqa: ANN401 - as h11 has it
        """Return the next event.

        Raises:
            h11.RemoteProtocolError: it is not HTTP, or beyond a limit.

        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._check_head(event)
            return _in_origin_form(event)
        if isinstance(event, h11.Data):
            self._check_chunk(event)
        return event

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
            self._reject(f"The chunks are too small. Send {MIN_CHUNK_BYTES} bytes or more in each.")

    def _reject(self, fault: str) -> None:
        self.fault = fault
        raise h11.RemoteProtocolError(fault)


def _in_origin_form(request: h11.Request) -> h11.Request:
    """Return the request for `/path` where it is for `http://host/path` (RFC 9112, 3.2.2)."""
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
