"""Decide which IP addresses belong to the public internet.

`connections` and the notifications of jobs reject all other addresses.

`ipaddress.is_global` alone is not enough: it has changed between Python versions, and it is true
for multicast addresses and for some IPv6 addresses that contain a private IPv4 address.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from socket import SOCK_STREAM, getaddrinfo
from typing import TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address

SPECIAL_IPV4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; some clouds have their metadata service here
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # the host of a virtual machine in Azure
        "169.254.0.0/16",  # link-local, with the metadata service of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, with the metadata service of one cloud
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112, which answers name look-ups of private addresses
        "192.52.193.0/24",  # AMT, tunnels for multicast
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112 too
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
"""IANA's registry of special-purpose addresses (RFC 6890), and addresses that only cloud providers
use."""

UNICAST_IPV6 = IPv6Network("2000::/3")
"""The only block from which IANA assigns public addresses. It contains no loopback, link-local,
private, multicast or NAT64 addresses (`64:ff9b::/96`, `64:ff9b:1::/48`), and none that map an IPv4
address (`::ffff:0:0/96`)."""

SPECIAL_IPV6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, with Teredo, ORCHID and benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which contains an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # 6bone, a former test network
        "3fff::/20",  # documentation
    )
)


def is_public(address: IPAddress) -> bool:
    """Return whether an address belongs to the public internet."""
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in block for block in SPECIAL_IPV4)
    if address.scope_id is not None or address not in UNICAST_IPV6:
        return False
    return address.is_global and not any(address in block for block in SPECIAL_IPV6)


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, the preferred one first.

    Raises:
        OSError, UnicodeError: the host is unknown, or cannot be a host name.

    """
    entries = getaddrinfo(host, port, type=SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in entries))
