"""The open connections: how many there can be, and which one closes for a new one."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Protocol

MAX_CONNECTIONS = 512
"""How many can be open. Each has a buffer and a file of the process, which can have 1,024."""

BATCHES = 32
"""A full table closes one of so many parts at once, since choosing takes longer than closing."""


class Closable(Protocol):
    """A connection as the table sees it."""

    address: str
    since_s: float
    """When its last request arrived or was answered, or when it was opened."""

    @property
    def has_key(self) -> bool:
        """Whether a request on it had a key that the store knows."""
        ...

    @property
    def is_answering(self) -> bool:
        """Whether a request on it is not answered yet."""
        ...

    @property
    def is_stalled(self) -> bool:
        """Whether its client has its answer, or has not read for a while what it was sent."""
        ...

    def evict(self) -> None:
        """Close it for another one."""


class ConnectionTable:
    """All connections, and those of each address.

    A full table makes space: first go connections without a key, of these the ones of the address
    that has most, of these the one that has done nothing for longest. A connection whose request
    has a key stays until that is answered, unless its client does not read the answer.
    """

    def __init__(self, *, per_address: int, most: int = MAX_CONNECTIONS) -> None:
        """Keep the limits; 0 `per_address` sets none."""
        self._per_address = per_address or most
        self._most = most
        self._all: set[Closable] = set()
        self._by_address: defaultdict[str, set[Closable]] = defaultdict(set)

    def admit(self, new: Closable) -> bool:
        """Take a new connection, closing another one if need be; return False if none can close."""
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
        """Forget a connection, if it is there."""
        self._all.discard(connection)
        peers = self._by_address.get(connection.address)
        if peers is not None:
            peers.discard(connection)
            if not peers:
                del self._by_address[connection.address]

    def _evict(self, candidates: set[Closable], count: int) -> bool:
        """Close one connection, and up to `count` if they have no key; return False for none."""
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
