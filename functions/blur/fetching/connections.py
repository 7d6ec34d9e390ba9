"""Connections to hosts on the public internet, for the URLs that clients send.

Each connection looks its host up once, checks all addresses of the host, and uses one of them. The
name is not looked up again, so DNS cannot return an internal address after the check. TLS verifies
the certificate by the host's name.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from ipaddress import ip_address
from threading import Thread
from typing import TypeAlias, TypeVar

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from blur.fetching.addresses import IPAddress, is_public, resolve
from blur.fetching.errors import DownloadError, InvalidUrlError
from blur.fetching.url_target import PORTS, Target

MAX_ADDRESSES = 4
"""The maximum number of addresses of a host that are tried."""

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
Result = TypeVar("Result")


class Connections:
    """Opens connections to allowed hosts only."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve,
        is_allowed: Callable[[IPAddress], bool] = is_public,
        ports: Collection[int] = PORTS,
        new_tls_context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        """Set the allowed addresses and ports; `resolve` raises `OSError` for an unknown host."""
        self._resolve = resolve
        self._is_allowed = is_allowed
        self.ports = ports
        self._tls_context = cache(new_tls_context)  # reading the certificates takes time
        # The library's warnings about headers contain the URL, which can contain a client's secret.
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

    def addresses(self, target: Target) -> Sequence[IPAddress]:
        """Look the host up once, and require that all its addresses are allowed.

        Unknown and internal host names get the same error, so that the error does not show which
        host names exist.

        Raises:
            InvalidUrlError: the host is unknown, or has an address that is not allowed.

        """
        try:
            texts = self._resolve(target.host, target.port)
            addresses = [ip_address(text) for text in texts]
        except (OSError, ValueError):  # UnicodeError is a ValueError
            addresses = []
        if not addresses or not all(map(self._is_allowed, addresses)):
            message = "The URL's host is unknown, or it is not on the public internet."
            raise InvalidUrlError(message)
        return addresses[:MAX_ADDRESSES]

    def prepare(self, target: Target, address: str, *, timeout_s: float) -> HTTPConnection:
        """Return a connection, which is not opened yet, to this address of the target."""
        if target.scheme == "http":
            return HTTPConnection(address, target.port, timeout=timeout_s)
        return HTTPSConnection(
            address,
            target.port,
            timeout=timeout_s,
            server_hostname=target.host,
            ssl_context=self._tls_context(),
        )


class TimedExchange:
    """The requests for one URL and its redirects, in a separate thread and with one time limit.

    The requests need a thread, because the look-up of a host cannot be interrupted, and because a
    server that sends one byte per second never causes a time-out of the socket. At the time limit,
    the caller stops waiting and shuts the socket down, which ends the thread.
    """

    def __init__(self, connections: Connections, timeout_s: float) -> None:
        """Start the time limit."""
        self._connections = connections
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def run(self, work: Callable[[TimedExchange], Result]) -> Result:
        """Return the result of `work`, or raise the exception that `work` raises.

        `work` gets this exchange as its argument, and calls `connect`.

        Raises:
            TimeoutError: the time limit has passed.

        """
        result = Future[Result]()
        Thread(target=self._run, args=(work, result), name="exchange", daemon=True).start()
        try:
            return result.result(self._timeout_s)
        except TimeoutError:
            self._abort()
            raise

    def connect(self, target: Target) -> HTTPConnection:
        """Return a connection to the first address that can be reached.

        Raises:
            InvalidUrlError: the host is unknown, or has an address that is not allowed.
            DownloadError: no address can be reached.

        """
        failure: Exception | None = None
        for address in self._connections.addresses(target):
            timeout_s = max(0.001, self._deadline_s - time.monotonic())
            connection = self._connections.prepare(target, str(address), timeout_s=timeout_s)
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
        message = "The server at the URL cannot be reached."
        raise DownloadError(message) from failure

    def _run(self, work: Callable[[TimedExchange], Result], result: Future[Result]) -> None:
        try:
            result.set_result(work(self))
        except Exception as error:  # noqa: BLE001 - the caller gets the error
            result.set_exception(error)

    def _abort(self) -> None:
        """Make the thread end soon: shut its socket down, so that reading from the socket fails."""
        self._is_aborted = True
        if self._socket is not None:
            with suppress(OSError):  # raised if the socket is already closed
                self._socket.shutdown(socket.SHUT_RDWR)
