"""A client that uses `100 Continue` to find out whether the server accepted the request.

The client sends the head with `Expect: 100-continue` (RFC 9110, 10.1.1), and sends the body when it
has received `100 Continue`. A server that has sent `100 Continue` must respond to the request. If
the connection closes before `100 Continue`, the request was not accepted. Without the header
`Expect`, a client cannot know whether a request was accepted.
"""

from __future__ import annotations

import socket
import time
from email.parser import BytesHeaderParser
from urllib.parse import urlsplit

from requests_toolbelt import MultipartEncoder
from tests.faults.load import PHOTO, WAIT_S
from tests.faults.responses import BROKEN, Outcome, outcome

REFUSED = "refused"
"""The server closed or rejected the connection before `100 Continue`."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def post_accepted(url: str, key: str) -> Outcome:
    """Send one photo; the outcome is `BROKEN` if an accepted request gets no complete response."""
    where = urlsplit(url)
    head, body = _request(url, key)
    began, accepted = time.monotonic(), False
    try:
        with socket.create_connection((where.hostname, where.port), WAIT_S) as connection:
            connection.sendall(head)
            interim = connection.recv(len(CONTINUE), socket.MSG_WAITALL)
            accepted = interim == CONTINUE
            if accepted:
                connection.sendall(body)
            response = b"" if accepted else interim
            while chunk := connection.recv(65_536):
                response += chunk
    except OSError:
        return Outcome(BROKEN if accepted else REFUSED)
    if not response:
        return Outcome(BROKEN if accepted else REFUSED)
    return _read(response, time.monotonic() - began)


def _request(url: str, key: str) -> tuple[bytes, bytes]:
    form = MultipartEncoder({"image": ("a.jpg", PHOTO, "image/jpeg"), "radius": "9"})
    body: bytes = form.read()
    where = urlsplit(url)
    lines = [
        f"POST {where.path} HTTP/1.1",
        f"Host: {where.netloc}",
        f"ApiKey: {key}",
        f"Content-Type: {form.content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "Expect: 100-continue",
    ]
    return "\r\n".join([*lines, "", ""]).encode(), body


def _read(response: bytes, took_s: float) -> Outcome:
    head, _, body = response.partition(b"\r\n\r\n")
    first, _, fields = head.partition(b"\r\n")
    headers = dict(BytesHeaderParser().parsebytes(fields).items())
    assert len(body) == int(headers["content-length"])
    return outcome(int(first.split()[1]), headers, body, took_s)
