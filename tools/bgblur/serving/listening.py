"""The server's sockets, and the addresses at which clients can reach the server."""

from __future__ import annotations

import errno
import ipaddress
import socket
from contextlib import suppress

BACKLOG = 2048
"""The number of connections that can wait to be accepted; uvicorn has the same default."""
UNSENT_BYTES = 131_072
"""The maximum number of unsent bytes of a response in the kernel's buffer (`TCP_NOTSENT_LOWAT`).
With a larger number, the server would notice a slow client later."""
MAX_PORT = 65_535
EVERY_ADDRESS = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}  # noqa: S104 - these addresses are only compared
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
REMOTE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses reserved for documentation (RFC 5737, RFC 3849); nothing is sent to them."""


class ListenError(Exception):
    """The server cannot listen on this address; the message has the reason."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ListenError: the port is in use, or the address cannot be used.

    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ListenError(explain(error, host, port)) from error


def tune_accepted(accepted: socket.socket) -> None:
    """Send small responses without delay, and limit the unsent bytes that the system buffers.

    asyncio sets TCP_NODELAY only on sockets with a protocol number, and `socket.create_server` sets
    none.
    """
    if accepted.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with suppress(OSError):  # the client has disconnected already
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def explain(error: OSError, host: str, port: int, option: str = "--port") -> str:
    """Return the message for an error; `option` is the flag that sets the port."""
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < MAX_PORT else port - 1
        return f"Port {port} is already in use. Choose another one, such as {option} {other}."
    reason = (error.strerror or str(error)).partition(" (while")[0]
    return f"Cannot listen on {host}, port {port}: {reason}."


def urls(host: str, port: int) -> list[str]:
    """Return the URLs of a server on this host; URLs for other machines come first."""
    family = EVERY_ADDRESS.get(host)
    hosts = [host] if family is None else [*own_addresses(family), LOOPBACK[family]]
    return [f"http://[{each}]:{port}" if ":" in each else f"http://{each}:{port}" for each in hosts]


def own_addresses(family: socket.AddressFamily) -> list[str]:
    """Return the addresses that other machines can use; the default route's address comes first."""
    addresses = []
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((REMOTE[family], 9))  # only sets the socket's local address
        addresses.append(str(probe.getsockname()[0]))
    with suppress(OSError):
        named = socket.getaddrinfo(socket.gethostname(), None, family)
        addresses += [str(info[4][0]) for info in named]
    return [each for each in dict.fromkeys(addresses) if not _is_local(each)]


def is_reachable_from_elsewhere(host: str) -> bool:
    """Return whether other machines can connect to a server on this host."""
    return host in EVERY_ADDRESS or not _is_local(host)


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_link_local
