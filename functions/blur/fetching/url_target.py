"""Split a client's URL into the parts for a request, and reject URLs in unusual notations."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from blur.fetching.errors import InvalidUrlError

DEFAULT_PORTS = {"http": 80, "https": 443}
PORTS = frozenset(DEFAULT_PORTS.values())
"""The allowed ports. Other ports belong to other services, and clients must not use this API to
probe these services."""
MAX_CHARS = 2048

_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)
"""Matches the last label of an IPv4 address: decimal, octal or hexadecimal (WHATWG URL)."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of one URL. The parts can contain secrets, so they are not in the `repr`."""

    scheme: str
    host: str
    """A name, or an IP address without brackets."""
    port: int
    path: str
    """Path and query, percent-encoded."""

    def __repr__(self) -> str:
        """Return a text with the URL's scheme, and without its host, port, path and query."""
        return f"<{self.scheme} URL>"

    @property
    def authority(self) -> str:
        """The value of the `Host` header; a default port is left out (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def join(self, location: str, *, ports: Collection[int] = PORTS) -> Target:
        """Return the target of a redirect, checked like every URL by `parse_target`.

        Raises:
            InvalidUrlError: the target is not allowed.

        """
        try:
            url = urljoin(f"{self.scheme}://{self.authority}{self.path}", location)
        except ValueError as error:
            message = "The URL redirects to a malformed URL."
            raise InvalidUrlError(message) from error
        return parse_target(url, ports=ports)


def parse_target(url: str, *, ports: Collection[int] = PORTS) -> Target:
    """Return the parts of a URL.

    Raises:
        InvalidUrlError: the URL is malformed, is not http or https, or has a user name, a password,
        a port that is not one of `ports`, or a host in an unusual notation.

    """
    if len(url) > MAX_CHARS:
        message = f"The URL has more than {MAX_CHARS} characters."
        raise InvalidUrlError(message)
    try:
        parsed = parse_url(url.strip())
    except LocationParseError as error:
        message = "The URL is malformed."
        raise InvalidUrlError(message) from error
    if parsed.scheme not in DEFAULT_PORTS or not parsed.host:
        message = "The URL must start with http:// or https:// and a host."
        raise InvalidUrlError(message)
    if parsed.auth is not None:
        message = "The URL must not contain a user name or a password."
        raise InvalidUrlError(message)
    port = DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if port not in ports:
        message = f"The port of the URL must be one of {', '.join(map(str, sorted(ports)))}."
        raise InvalidUrlError(message)
    return Target(parsed.scheme, _check_host(parsed.host), port, parsed.request_uri)


def _check_host(host: str) -> str:
    """Return the host without brackets; reject unusual notations of an IP address.

    Resolvers read `0x7f.1`, `017700000001` and `2130706433` as 127.0.0.1.
    """
    if host.startswith("["):
        if "%" in host:  # a zone, which names a network interface of this machine
            raise _bad_host()
        try:
            return str(IPv6Address(host.strip("[]")))
        except ValueError as error:
            raise _bad_host() from error
    if _NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            return str(ip_address(host))
        except ValueError as error:
            raise _bad_host() from error
    return host


def _bad_host() -> InvalidUrlError:
    return InvalidUrlError("The URL's host is not valid.")
