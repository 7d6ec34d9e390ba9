"""Results that do not fit into a response; `api.response` redirects to them (303)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blur.storage.ports import Link, ResultStore

RESULT_PREFIX = "results/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Stores the results that are too large for a response; no result is made smaller."""

    store: ResultStore | None
    """None means that responses have no size limit, so they contain all results."""
    max_inline_bytes: int
    """The largest file that fits into a proxy response."""
    new_name: Callable[[], str]
    """Return a random name that cannot be guessed, because a download needs only the link."""

    def store_if_large(
        self, data: bytes, *, content_type: str, file_name: str, now_us: int
    ) -> Link | None:
        """Store a result that is too large for a response, and return its link.

        If the result fits into a response, return None.

        Raises:
            UnavailableError: the result is too large and the storage is unavailable.

        """
        if self.store is None or len(data) <= self.max_inline_bytes:
            return None
        return self.store.put(
            RESULT_PREFIX + self.new_name(),
            data,
            content_type=content_type,
            file_name=file_name,
            now_us=now_us,
        )
