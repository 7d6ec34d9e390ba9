"""Fetch an image by its URL, within limits for time and size.

Each request looks its host up once, checks all addresses, and connects to one of these. The name
server is not asked again, so it cannot return an internal address after the check. TLS verifies
the certificate by the host's name. Redirects are not followed by the HTTP library: each one is a
new request with the same checks.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from functools import cache
from http import HTTPStatus
from http.client import HTTPException
from ipaddress import ip_address
from threading import Thread
from typing import TYPE_CHECKING, TypeAlias

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from blur.fetching.addresses import IPAddress, is_public, resolve
from blur.fetching.errors import (
    DownloadError,
    DownloadTooLargeError,
    InvalidUrlError,
    NotAnImageError,
)
from blur.fetching.target import PORTS, Target, parse_target

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

TIMEOUT_S = 10.0
"""The limit for a whole fetch: name look-ups, connections, redirects and the file."""
MAX_REDIRECTS = 3
MAX_ADDRESSES = 4
"""How many addresses of a host are tried until one can be reached."""
CHUNK_BYTES = 65_536
HEAD_BYTES = 512
"""The first bytes of a file, by which its format is known."""
HEADERS = {"Accept": "image/*", "User-Agent": "background-blur", "Connection": "close"}
"""The library adds `Accept-Encoding: identity`, so that servers do not compress the file,
and no decompression bomb is unpacked. A file that is compressed anyway is not an image."""

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]


class ImageFetcher:
    """Fetches images: a call with a URL returns the file."""

    def __init__(  # noqa: PLR0913 - all are passed by name
        self,
        *,
        is_image: Callable[[bytes], bool],
        max_bytes: int,
        timeout_s: float = TIMEOUT_S,
        resolve: Resolve = resolve,
        is_allowed: Callable[[IPAddress], bool] = is_public,
        ports: Collection[int] = PORTS,
        new_tls_context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        """Set the limits; `is_image` decides from the first bytes of a file.

        `resolve` can raise `OSError`. `is_allowed` and `ports` limit the connections.
        """
        self.is_image = is_image
        self.max_bytes = max_bytes
        self.resolve = resolve
        self.is_allowed = is_allowed
        self.ports = ports
        self.tls_context = cache(new_tls_context)  # reading the certificates takes time
        self._timeout_s = timeout_s
        # Its warnings about headers contain the URL, which can contain a client's secret.
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

    def __call__(self, url: str) -> bytes:
        """Return the file at a URL.

        A look-up cannot be interrupted, and a server can send one byte a second, so the work runs
        in a thread. At the time limit the caller stops waiting and shuts the socket down, which
        ends the thread.

        Raises:
            InvalidUrlError: the URL or a redirect is malformed or not on the public internet.
            DownloadError: the server cannot be reached, is too slow, or sends no image.

        """
        fetch, result = _Fetch(self, time.monotonic() + self._timeout_s), Future[bytes]()
        Thread(target=fetch.run, args=(url, result), name="fetch", daemon=True).start()
        try:
            return result.result(self._timeout_s)
        except TimeoutError as error:
            fetch.abort()
            message = f"The image was not downloaded within {self._timeout_s:g} seconds."
            raise DownloadError(message) from error


class _Fetch:
    """One fetch with all its redirects, in its own thread."""

    def __init__(self, fetcher: ImageFetcher, deadline_s: float) -> None:
        self._fetcher = fetcher
        self._deadline_s = deadline_s
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def run(self, url: str, result: Future[bytes]) -> None:
        """Set the result to the file or to the error."""
        try:
            result.set_result(self._get(url))
        except Exception as error:  # noqa: BLE001 - the caller gets it
            result.set_exception(error)

    def abort(self) -> None:
        """End the thread soon: reading from its socket fails from now on."""
        self._is_aborted = True
        if self._socket is not None:
            with suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    def _get(self, url: str) -> bytes:
        ports = self._fetcher.ports
        target = parse_target(url, ports=ports)
        try:
            for _ in range(1 + MAX_REDIRECTS):
                with (
                    closing(self._connect(target)) as connection,
                    closing(_request(connection, target)) as response,
                ):
                    location = response.get_redirect_location()
                    if not location:
                        return self._read(response)
                target = target.join(location, ports=ports)
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            message = "The server of the URL cannot be reached, or its response is not complete."
            raise DownloadError(message) from error
        message = f"The URL redirects more than {MAX_REDIRECTS} times."
        raise DownloadError(message)

    def _connect(self, target: Target) -> HTTPConnection:
        """Return a connection to the first address that can be reached."""
        failure: Exception | None = None
        for address in self._addresses(target)[:MAX_ADDRESSES]:
            connection = self._new_connection(target, str(address))
            try:
                connection.connect()
            except (HTTPError, OSError) as error:
                connection.close()
                failure = error
                continue
            self._socket = connection.sock
            if not self._is_aborted:
                return connection
            connection.close()
            break
        message = "The server of the URL cannot be reached."
        raise DownloadError(message) from failure

    def _addresses(self, target: Target) -> Sequence[IPAddress]:
        """Look the host up once, and require that all its addresses are allowed.

        Unknown and internal names get the same error, so that it does not show which names exist.
        """
        try:
            texts = self._fetcher.resolve(target.host, target.port)
            addresses = [ip_address(text) for text in texts]
        except (OSError, ValueError):  # UnicodeError is a ValueError
            addresses = []
        if not addresses or not all(map(self._fetcher.is_allowed, addresses)):
            message = "The host of the URL is unknown, or it is not on the public internet."
            raise InvalidUrlError(message)
        return addresses

    def _new_connection(self, target: Target, address: str) -> HTTPConnection:
        timeout_s = max(0.001, self._deadline_s - time.monotonic())
        if target.scheme == "http":
            return HTTPConnection(address, target.port, timeout=timeout_s)
        return HTTPSConnection(
            address,
            target.port,
            timeout=timeout_s,
            server_hostname=target.host,
            ssl_context=self._fetcher.tls_context(),
        )

    def _read(self, response: BaseHTTPResponse) -> bytes:
        """Return the file; stop as soon as it is too large or not an image."""
        if response.status != HTTPStatus.OK:
            message = f"The server of the URL responds with the status {response.status}."
            raise DownloadError(message)
        max_bytes = self._fetcher.max_bytes
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
                is_image = self._fetcher.is_image(bytes(received[:HEAD_BYTES]))
                if not is_image:
                    message = "The file at the URL is not an image in a supported format."
                    raise NotAnImageError(message)
            if not chunk:
                return bytes(received)


def _request(connection: HTTPConnection, target: Target) -> BaseHTTPResponse:
    """Send the request and read the response's head."""
    headers = {"Host": target.authority, **HEADERS}
    connection.request(
        "GET", target.path, headers=headers, preload_content=False, decode_content=False
    )
    return connection.getresponse()
