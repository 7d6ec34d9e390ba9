"""Inline or by link: the one place that decides how a result travels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blur.storage.ports import Link, Result, ResultStore

PREFIX = "results/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Sends what fits inline and keeps what does not; nothing is made smaller to fit."""

    store: ResultStore | None
    """None: there is no limit, every result is inline."""
    max_inline_bytes: int
    """The largest file whose whole proxy response fits."""
    new_name: Callable[[], str]
    """Names nobody can guess: whoever knows the link may fetch the result."""

    def link_to(self, result: Result, *, now_us: int) -> Link | None:
        """Keep a result that is too large and link to it; None: it fits inline.

        Raises:
            UnavailableError: it is too large and cannot be kept just now.

        """
        if self.store is None or len(result.data) <= self.max_inline_bytes:
            return None
        return self.store.keep(PREFIX + self.new_name(), result, now_us=now_us)
