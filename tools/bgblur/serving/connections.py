"""Limit the number of open connections, and choose the connections to close."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Protocol

MAX_CONNECTIONS = 512
"""The maximum number of connections. Each connection uses a buffer and a file descriptor. A process
can usually have 1,024 file descriptors."""

BATCHES = 32
"""When all connections are in use, the server closes up to 1/32 of them at once, because choosing
connections takes longer than closing them."""


class Closable(Protocol):
    """A connection that the `ConnectionTable` can close."""

    address: str
    since_s: float
    """The time of the connection's last request or response, or of its opening."""

    @property
    def has_key(self) -> bool:
        """Whether one of the connection's requests had a key that the store knows."""
        ...

    @property
    def is_answering(self) -> bool:
        """Whether the server has not completed the response to a request."""
        ...

    @property
    def is_stalled(self) -> bool:
        """Whether the response was written, or the client has read nothing for some seconds."""
        ...

    def evict(self) -> None:
        """Close the connection to make space for another connection."""


class ConnectionTable:
    """All connections, and the connections from each address.

    When the table is full, or an address has too many connections, `admit` closes connections to
    make space. It first closes connections without a known key. Among these, it first closes
    connections of the address with the most connections, beginning with the longest idle
    connection. If a connection has a key and a running request, `admit` closes the connection only
    if the client does not read the response.
    """

    def __init__(self, *, per_address: int, most: int = MAX_CONNECTIONS) -> None:
        """Keep the limits; 0 for `per_address` means no limit."""
        self._per_address = per_address or most
        self._most = most
        self._all: set[Closable] = set()
        self._by_address: defaultdict[str, set[Closable]] = defaultdict(set)

    def admit(self, new: Closable) -> bool:
        """Close other connections if necessary, and add `new`; return whether it was added."""
        peers = self._by_address.get(new.address, set())
        if len(peers) >= self._per_address:
            has_space = self._evict(peers, 1)
        elif len(self._all) >= self._most:
            has_space = self._evict(self._all, max(1, self._most // BATCHES))
        else:
            has_space = True
        if not has_space:
            return False
        self._all.add(new)
        self._by_address[new.address].add(new)
        return True

    def remove(self, connection: Closable) -> None:
        """Remove a connection, if the table has it."""
        self._all.discard(connection)
        peers = self._by_address.get(connection.address)
        if peers is not None:
            peers.discard(connection)
            if not peers:
                del self._by_address[connection.address]

    def _evict(self, candidates: set[Closable], count: int) -> bool:
        """Close up to `count` connections; return whether one was closed.

        At most one of the closed connections has a known key.
        """
        closable = [
            each
            for each in candidates
            if each.is_stalled or not (each.has_key and each.is_answering)
        ]
        victims = heapq.nsmallest(count, closable, key=self._rank)
        for victim in victims[:1] + [each for each in victims[1:] if not each.has_key]:
            self.remove(victim)
            victim.evict()
        return bool(victims)

    def _rank(self, each: Closable) -> tuple[bool, int, float]:
        return each.has_key, -len(self._by_address[each.address]), each.since_s
