"""Limit the total memory for request bodies, and the total memory for responses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from blur.errors import OverloadedError


class BodyBudget:
    """Memory for request bodies, shared between senders.

    Each sender can hold a multiple of the memory that is still free ("dynamic thresholds",
    Choudhury and Hahne 1998, https://doi.org/10.1109/90.664262). With a factor of 1, a single
    sender can hold half of the total, two senders can hold a third each, and some memory is always
    free.
    """

    def __init__(self, total_bytes: int) -> None:
        """Start with all memory free."""
        self.free_bytes = total_bytes
        self._held: Counter[str] = Counter()

    @contextmanager
    def lease(self, factors: Mapping[str, float]) -> Iterator[Lease]:
        """Yield a lease, which reserves memory for one body; free the memory when the block ends.

        `factors` has a factor for each sender of the body, such as its account and its address. All
        bodies of a sender together can use at most the free memory times the sender's factor.
        """
        lease = Lease(self, factors)
        try:
            yield lease
        finally:
            self._give_back(lease)

    def _take(self, lease: Lease, size: int) -> None:
        if size > self.free_bytes:
            raise OverloadedError(retry_after_s=1)
        for sender, factor in lease.factors.items():
            if self._held[sender] + size > factor * self.free_bytes:
                raise OverloadedError(retry_after_s=1)
        self.free_bytes -= size
        lease.held_bytes += size
        for sender in lease.factors:
            self._held[sender] += size

    def _give_back(self, lease: Lease) -> None:
        self.free_bytes += lease.held_bytes
        for sender in lease.factors:
            self._held[sender] -= lease.held_bytes
            if not self._held[sender]:
                del self._held[sender]


@dataclass(slots=True, eq=False)
class Lease:
    """The memory that is reserved for one body."""

    budget: BodyBudget
    factors: Mapping[str, float]
    held_bytes: int = 0

    def take(self, size: int) -> None:
        """Reserve `size` more bytes.

        Raises:
            OverloadedError: too little memory is free, or a sender would exceed its share.

        """
        self.budget._take(self, size)  # noqa: SLF001 - only leases call this method


class ConcurrentBodyLimit:
    """Limits how many bodies the server receives from one account at the same time."""

    def __init__(self, each: int) -> None:
        """Allow up to `each` request bodies per account at the same time."""
        self._each = each
        self._receiving: Counter[str] = Counter()

    @contextmanager
    def count(self, account: str) -> Iterator[None]:
        """Count a request body for an account until the `with` block ends.

        Raises:
            OverloadedError: the account has reached its limit.

        """
        if self._receiving[account] >= self._each:
            raise OverloadedError(retry_after_s=1)
        self._receiving[account] += 1
        try:
            yield
        finally:
            self._receiving[account] -= 1
            if not self._receiving[account]:
                del self._receiving[account]


class ResultBudget:
    """Memory for responses that clients have not read yet.

    A response exists already, so it cannot be rejected. When the total is too large, the server
    looks for the client whose responses use the most memory, and closes the connection of this
    client's oldest response.
    """

    def __init__(self, total_bytes: int) -> None:
        """Start with no responses."""
        self._total_bytes = total_bytes
        self._held: dict[int, _Result] = {}
        self._count = 0

    @contextmanager
    def hold(self, client: str, size: int, abort: Callable[[], None]) -> Iterator[None]:
        """Count the bytes of a response until the block ends; `abort` closes its connection."""
        self._count += 1
        number = self._count
        self._make_space(size)
        self._held[number] = _Result(client, size, abort)
        try:
            yield
        finally:
            self._held.pop(number, None)

    def _make_space(self, size: int) -> None:
        while self._held and self._held_bytes() + size > self._total_bytes:
            by_client: Counter[str] = Counter()
            for result in self._held.values():
                by_client[result.client] += result.size
            client = by_client.most_common(1)[0][0]
            number = next(n for n, result in self._held.items() if result.client == client)
            self._held.pop(number).abort()

    def _held_bytes(self) -> int:
        return sum(result.size for result in self._held.values())


@dataclass(frozen=True, slots=True)
class _Result:
    client: str
    size: int
    abort: Callable[[], None]
