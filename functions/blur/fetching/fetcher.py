"""Fetch an image by its URL, within limits for time and size.

The HTTP library does not follow redirects. This module opens a new connection for each redirect,
after the same checks as for the first URL.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

from blur.fetching.connections import Connections, TimedExchange
from blur.fetching.errors import DownloadError, DownloadTooLargeError, NotAnImageError
from blur.fetching.url_target import Target, parse_target

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
    from urllib3.response import BaseHTTPResponse

TIMEOUT_S = 10.0
"""The limit for a whole fetch: name look-ups, connections, redirects and the file."""
MAX_REDIRECTS = 3
CHUNK_BYTES = 65_536
HEAD_BYTES = 512
"""This many bytes, from the start of a file, are enough to detect the file's format."""
HEADERS = {"Accept": "image/*", "User-Agent": "background-blur", "Connection": "close"}
"""The HTTP library adds `Accept-Encoding: identity`. So servers do not compress the file, and the
service unpacks no decompression bomb. If a server compresses the file anyway, the file is rejected,
because compressed data is not an image."""


class ImageFetcher:
    """Fetches images; a call with a URL returns the file."""

    def __init__(
        self,
        connections: Connections | None = None,
        *,
        is_image: Callable[[bytes], bool],
        max_bytes: int,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Set the limits; `is_image` detects an image by the first bytes of a file."""
        self._is_image = is_image
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._connections = connections or Connections()

    def __call__(self, url: str) -> bytes:
        """Return the file at a URL.

        Raises:
            InvalidUrlError: the URL or a redirect is malformed or not on the public internet.
            DownloadError: the server cannot be reached, is too slow, or sends no image.

        """
        try:
            return TimedExchange(self._connections, self._timeout_s).run(partial(self._get, url))
        except TimeoutError as error:
            message = f"The image was not downloaded within {self._timeout_s:g} seconds."
            raise DownloadError(message) from error

    def _get(self, url: str, exchange: TimedExchange) -> bytes:
        ports = self._connections.ports
        target = parse_target(url, ports=ports)
        try:
            for _ in range(1 + MAX_REDIRECTS):
                with (
                    closing(exchange.connect(target)) as connection,
                    closing(_request(connection, target)) as response,
                ):
                    location = response.get_redirect_location()
                    if not location:
                        return self._read(response)
                target = target.join(location, ports=ports)
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            message = "The server at the URL cannot be reached, or its response is not complete."
            raise DownloadError(message) from error
        message = f"The URL redirects more than {MAX_REDIRECTS} times."
        raise DownloadError(message)

    def _read(self, response: BaseHTTPResponse) -> bytes:
        """Return the file; stop reading as soon as the file is too large or not an image."""
        if response.status != HTTPStatus.OK:
            message = f"The server at the URL responds with the status {response.status}."
            raise DownloadError(message)
        max_bytes = self._max_bytes
        declared = response.headers.get("Content-Length", "")
        received = bytearray()
        is_image = False
        while True:
            if len(received) > max_bytes or (declared.isdecimal() and int(declared) > max_bytes):
                message = f"The file at the URL has more than {max_bytes} bytes."
                raise DownloadTooLargeError(message)
            chunk = response.read(CHUNK_BYTES, decode_content=False)
            received += chunk
            if not is_image and (not chunk or len(received) >= HEAD_BYTES):
                is_image = self._is_image(bytes(received[:HEAD_BYTES]))
                if not is_image:
                    message = "The file at the URL is not an image in a supported format."
                    raise NotAnImageError(message)
            if not chunk:
                return bytes(received)


def _request(connection: HTTPConnection, target: Target) -> BaseHTTPResponse:
    """Send the request, and return the response before its body is read."""
    headers = {"Host": target.authority, **HEADERS}
    connection.request(
        "GET", target.path, headers=headers, preload_content=False, decode_content=False
    )
    return connection.getresponse()
