"""Limit the total memory for request bodies, and the total memory for responses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from blur.errors import OverloadedError


class BodyBudget:
    """Memory for request bodies, shared between senders.

    Each sender can use a multiple of the memory that is still free ("dynamic thresholds",
    Choudhury and Hahne 1998, https://doi.org/10.1109/90.664262). With a factor of 1, a single
    sender can use half of the total, two senders can use a third each, and some memory is always
    free.
    """

    def __init__(self, total_bytes: int) -> None:
        """Start with all memory free."""
        self.free_bytes = total_bytes
        self._used: Counter[str] = Counter()

    @contextmanager
    def body(self, factors: Mapping[str, float]) -> Iterator[BodyMemory]:
        """Yield the memory of one body, which grows; free this memory when the block ends.

        `factors` has a factor for each sender of the body, such as its account and its address. All
        bodies of a sender together can use at most the free memory times the sender's factor.
        """
        memory = BodyMemory(self, factors)
        try:
            yield memory
        finally:
            self._free(memory)

    def _allocate(self, memory: BodyMemory, size: int) -> None:
        if size > self.free_bytes:
            raise OverloadedError(retry_after_s=1)
        for sender, factor in memory.factors.items():
            if self._used[sender] + size > factor * self.free_bytes:
                raise OverloadedError(retry_after_s=1)
        self.free_bytes -= size
        memory.used_bytes += size
        for sender in memory.factors:
            self._used[sender] += size

    def _free(self, memory: BodyMemory) -> None:
        self.free_bytes += memory.used_bytes
        for sender in memory.factors:
            self._used[sender] -= memory.used_bytes
            if not self._used[sender]:
                del self._used[sender]


@dataclass(slots=True, eq=False)
class BodyMemory:
    """The memory that is allocated for one body."""

    budget: BodyBudget
    factors: Mapping[str, float]
    used_bytes: int = 0

    def allocate(self, size: int) -> None:
        """Allocate `size` more bytes.

        Raises:
            OverloadedError: too little memory is free, or a sender would exceed its share.

        """
        self.budget._allocate(self, size)  # noqa: SLF001 - only this class calls the method


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
        self._used: dict[int, _Result] = {}
        self._count = 0

    @contextmanager
    def track(self, client: str, size: int, abort: Callable[[], None]) -> Iterator[None]:
        """Count the bytes of a response until the block ends; `abort` closes its connection."""
        self._count += 1
        number = self._count
        self._make_space(size)
        self._used[number] = _Result(client, size, abort)
        try:
            yield
        finally:
            self._used.pop(number, None)

    def _make_space(self, size: int) -> None:
        while self._used and self._used_bytes() + size > self._total_bytes:
            by_client: Counter[str] = Counter()
            for result in self._used.values():
                by_client[result.client] += result.size
            client = by_client.most_common(1)[0][0]
            number = next(n for n, result in self._used.items() if result.client == client)
            self._used.pop(number).abort()

    def _used_bytes(self) -> int:
        return sum(result.size for result in self._used.values())


@dataclass(frozen=True, slots=True)
class _Result:
    client: str
    size: int
    abort: Callable[[], None]
