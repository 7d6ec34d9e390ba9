"""The measurements of one request, for its log line and metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from blur.timing import TOTAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.account_status import AccountStatus
    from blur.accounts.keys import ApiKey
    from blur.timing import Stopwatch


@dataclass(slots=True)
class Measurements:
    """Values collected while a request is handled; they are logged even if the request fails."""

    key: ApiKey | None = None
    """The key in the request; it is valid if `status` is set."""
    status: AccountStatus | None = None
    """The status of the account after the request; None if it is unknown."""
    watch: Stopwatch | None = None
    """Measures the steps of a call that computes an image."""
    durations_ms: Mapping[str, float] = field(default_factory=dict)
    """The time of each step and of the whole call; empty until the call has succeeded."""
    photo_pixels: int = 0
    """Width times height of the photo in the file; 0 if the call failed."""

    def finish(self, status: AccountStatus, photo_pixels: int) -> None:
        """Add the measurements of a successful call."""
        self.status, self.photo_pixels = status, photo_pixels
        self.durations_ms = self.watch.durations_ms() if self.watch else {}

    def steps_ms(self) -> dict[str, float]:
        """Return the time of each step; for a failed call, the last step lasts until now."""
        failed_ms = self.watch.durations_ms() if self.watch and not self.durations_ms else {}
        durations_ms = self.durations_ms or failed_ms
        return {name: step_ms for name, step_ms in durations_ms.items() if name != TOTAL}
