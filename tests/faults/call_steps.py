"""One call through the whole handler, with a fault that starts at a chosen step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make
from tests.clocks import Clock
from tests.faults.responses import PICTURE, Outcome, from_proxy

import blur.app
from bgblur.serving.proxy_events import InvocationContext
from blur.accounts.dynamo.client import READ_S
from blur.clock import now

if TYPE_CHECKING:
    from tests.faults.balances import Balances

    from blur.accounts.model import Instant
    from blur.settings import Settings

Result = tuple[float, int]
"""The seconds that the call with the fault took, and how often the call and its repetition were
charged together: 0 or 1."""
ATTEMPTS = 5
MAX_S = 10.0
"""The time limit of a call: two store requests of 2 s, the blurring, and some extra time."""

STEPS_OF_CALL = {
    "reserve": "temporarily_unavailable",
    "claim_record": "temporarily_unavailable",
    "complete_record": PICTURE,
    "settle": PICTURE,
    "refund": "no_subject",
}
"""For methods of the store: the outcome of a call if a fault starts right before the method."""


def summary(results: Sequence[Result]) -> str:
    """Summarize the results of all steps, for docs/reliability.md."""
    longest_s, charged = max(took for took, _ in results), sum(used for _, used in results)
    return (
        f"a call with a fault before the blurring gets 503; a call with a later fault gets its "
        f"result or its error; the longest call took {longest_s:.1f} s; after a retry, {charged} "
        f"calls were charged once and {len(results) - charged} not at all; no credit was lost"
    )


class FaultyStore:
    """A store that starts a fault right before one of its methods is called."""

    def __init__(self, store: object, method: str, trip: Callable[[], object]) -> None:
        """Call `trip` once, before the first call of `method`."""
        self._store = store
        self._method = method
        self._trip = trip
        self.has_tripped = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - returns any method of the store
        if name == self._method and not self.has_tripped:
            self.has_tripped = True
            self._trip()
        return getattr(self._store, name)


@dataclass
class Caller:
    """A client with its own handler; it sends a call, and later the same call again."""

    handler: Callable[[dict[str, Any], InvocationContext], Any]
    balances: Balances
    image: bytes

    def call(self, idempotency_key: str = "call-1") -> Outcome:
        """Send the call, by default with the same `Idempotency-Key` each time."""
        event = make.blur(self.balances.key, self.image)
        event["headers"]["Idempotency-Key"] = idempotency_key
        event["multiValueHeaders"]["Idempotency-Key"] = [idempotency_key]
        began = time.monotonic()
        return from_proxy(self.handler(event, InvocationContext()), time.monotonic() - began)


def caller(
    settings: Settings,
    store: object,
    balances: Balances,
    moment: str,
    *,
    clock: Callable[[], Instant],
) -> Caller:
    """Build a handler with this store, and a client with a photo that reaches the step `moment`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blur.app, "open_account_store", lambda _: store)
        handler = blur.app.build_app(settings, clock=clock, logger=Logger(service="faults"))
    return Caller(handler, balances, make.flat() if moment == "refund" else make.jpeg())


def call_in_time(
    client: Caller, is_faulty: Callable[[], bool], wait: Callable[[], None]
) -> Outcome:
    """Send the call; repeat the call if the store had no fault and was too slow nevertheless.

    On a busy machine, a store without a fault can exceed its time limit of `READ_S` seconds. `wait`
    waits until the hold of the slow call has expired.
    """
    for _ in range(ATTEMPTS):
        outcome = client.call()
        was_slow = outcome.kind == "temporarily_unavailable" and outcome.seconds > READ_S
        if is_faulty() or not was_slow:
            break
        wait()
    return outcome


def run_with_fault(
    settings: Settings,
    store: FaultyStore,
    balances: Balances,
    moment: str,
    break_off: Callable[[], object],
) -> Result:
    """Make the call with the fault, and repeat the call without the fault.

    Check the balances after each call.
    """
    clock = Clock(now())
    client = caller(settings, store, balances, moment, clock=clock)

    def wait() -> None:
        clock.advance(settings.hold_ttl_s + 10)

    seen = call_in_time(client, lambda: store.has_tripped, wait)
    assert seen.kind == STEPS_OF_CALL[moment]
    assert seen.seconds < MAX_S
    break_off()
    balances.exact(at_us=clock())
    wait()
    balances.exact(at_us=clock())
    again = call_in_time(client, lambda: False, wait)
    assert again.kind == ("no_subject" if moment == "refund" else PICTURE)
    wait()
    account = balances.exact(at_us=clock())
    assert account.held == 0
    assert account.used <= (again.kind == PICTURE)
    return seen.seconds, account.used
