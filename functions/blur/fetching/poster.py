"""Send a POST request to a client's URL, with a time limit.

Only the status of the response is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from http.client import HTTPException

from urllib3.exceptions import HTTPError

from blur.fetching.connections import Connections, TimedExchange
from blur.fetching.errors import DownloadError
from blur.fetching.url_target import parse_target

TIMEOUT_S = 10.0
"""The time limit for the DNS look-up, the connection, the request and the response's head."""
HEADERS = {"User-Agent": "background-blur", "Connection": "close"}

Post = Callable[[str, bytes, Mapping[str, str]], int]
"""Send a body with these headers to a URL, and return the status of the response."""


class Poster:
    """Sends POST requests; a call with a URL, a body and headers returns the response's status.

    Redirects are not followed.
    """

    def __init__(
        self, connections: Connections | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Set the time limit and the allowed hosts: by default, all on the public internet."""
        self._connections = connections or Connections()
        self._timeout_s = timeout_s

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send the body, and return the status of the response.

        Raises:
            InvalidUrlError: the URL is malformed or not on the public internet.
            DownloadError: the server cannot be reached, or is too slow.

        """
        work = partial(self._post, url, body, headers)
        try:
            return TimedExchange(self._connections, self._timeout_s).run(work)
        except TimeoutError as error:
            message = f"The server did not respond within {self._timeout_s:g} seconds."
            raise DownloadError(message) from error

    def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], exchange: TimedExchange
    ) -> int:
        target = parse_target(url, ports=self._connections.ports)
        sent = {"Host": target.authority, **HEADERS, **headers}
        try:
            with closing(exchange.connect(target)) as connection:
                connection.request(
                    "POST", target.path, body, sent, preload_content=False, decode_content=False
                )
                with closing(connection.getresponse()) as response:
                    return response.status
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            message = "The server at the URL cannot be reached, or its response is not complete."
            raise DownloadError(message) from error
