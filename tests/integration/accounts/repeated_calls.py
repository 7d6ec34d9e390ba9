"""Make calls to `/v1.0/removebg` and repeat them.

Short texts take the place of photos and results.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.integration.accounts.customer import Customer, new_id

from blur.accounts.audit import differences
from blur.accounts.keys import ApiKey
from blur.accounts.model import KeyKind
from blur.accounts.repeats import derived_key
from blur.credits import ONE, QUARTER, Credits
from blur.engine import Engine
from blur.errors import NoSubjectError
from blur.imaging.removal.options import STEPS
from blur.imaging.results import EncodedImage
from blur.prices import PriceRange, Prices
from blur.service import CallResult, ImageService
from blur.storage.large_results import Results

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.idempotency_key import IdempotencyKey
    from blur.accounts.ports import AccountStore
    from blur.image_requests import OnStep
    from blur.storage.ports import Link

PRICES = Prices(image=ONE, preview=QUARTER, person=ONE)
DEDUPE_S = 120
MAX_WAIT_S, POLL_S = 25, 0.25
"""How many seconds a copy waits for the first call, as documented, and the seconds between two
checks whether the first call has ended."""


class Result(NamedTuple):
    """A result that a test recognises by its text."""

    text: str
    image: EncodedImage = EncodedImage(b"", "image/png")
    photo_pixels: int = 0


@dataclass
class Photo:
    """A parsed form and its request; `render` computes the result or raises an error."""

    content: str = "photo"
    """The content of the request; a repeated request has the same content."""
    image: str = "image"
    render_once: Callable[[], str] = lambda: "result"
    amount: Credits = QUARTER
    loaded: list[str] = field(default_factory=list)

    def price(self, prices: Prices) -> Credits:
        del prices
        return self.amount

    def derived_key(self, remember_us: int) -> IdempotencyKey | None:
        return derived_key(self.content, remember_us=remember_us) if remember_us else None

    def load(self) -> Photo:
        self.loaded.append(self.image)
        return self

    def fingerprint(self) -> str:
        return f"{self.content} {self.image}"

    def render(self, engine: Engine, *, watermarked: bool, on_step: OnStep) -> Result:
        del engine, watermarked
        for step in STEPS:
            on_step(step)
        return Result(self.render_once())

    def store_if_large(self, output: Result, results: Results, *, now_us: int) -> Link | None:
        del output, results, now_us
        return None


def no_model() -> Any:  # noqa: ANN401 - no test calls this function
    raise AssertionError


def service_of(store: Any, clock: Clock, **changes: Any) -> ImageService:  # noqa: ANN401 - tests also pass a store that fails
    numbers, lock = count(), Lock()

    def new_hold_id() -> str:
        with lock:
            return f"{new_id('hold')}_{next(numbers)}"

    values: dict[str, Any] = {
        "store": store,
        "engine": lambda: Engine(model=no_model, max_pixels=1),
        "results": Results(store=None, max_inline_bytes=1, new_name=str),
        "prices": PRICES,
        "hold_ttl_s": 60,
        "deadline_margin_s": 5,
        "dedupe_s": DEDUPE_S,
        "ordinary_cpu_ms": 10**9,
        "clock": clock,
        "ticks": time.perf_counter_ns,
        "cpu_ticks": lambda: 0,
        "new_hold_id": new_hold_id,
        "sleep": clock.advance,
    }
    return ImageService(**values | changes)


def key_of(customer: Customer) -> ApiKey:
    return ApiKey(KeyKind.LIVE, customer.account_id, customer.digest, "prefix")


def run(  # noqa: PLR0913 - the parameters are the call and the state of its client
    service: ImageService,
    customer: Customer,
    photo: Photo,
    *,
    left_ms: int = 600_000,
    is_client_connected: Callable[[], bool] = lambda: True,
    idempotency_key: IdempotencyKey | None = None,
) -> CallResult[Result]:
    return service.run(
        key_of(customer),
        lambda: photo,
        prices=PriceRange(QUARTER, ONE),
        form_first=True,
        left_ms=left_ms,
        is_client_connected=is_client_connected,
        idempotency_key=idempotency_key,
    )


def amounts(store: AccountStore, customer: Customer, clock: Clock) -> tuple[int, int, int]:
    account = store.read_account(customer.account_id, now_us=clock())
    assert list(differences(account, store.list_entries(customer.account_id))) == []
    return account.balance, account.held, account.used


def summary(result: CallResult[Result]) -> tuple[str, bool, int | None]:
    return result.output.text, result.replayed, result.status.credits_charged


def slow() -> str:
    time.sleep(0.05)
    return "result"


def failing() -> str:
    message = "no subject"
    raise NoSubjectError(message)


@dataclass
class BlockedCall:
    """A first call whose computation waits until the test sets `can_end`."""

    started: Event = field(default_factory=Event)
    can_end: Event = field(default_factory=Event)
    fails: bool = False

    def render(self) -> str:
        self.started.set()
        assert self.can_end.wait(30)
        return failing() if self.fails else "result"


@dataclass
class RecordingStore:
    """A store that records which of its methods are called."""

    store: AccountStore
    called: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - returns any method of the store
        self.called.append(name)
        return getattr(self.store, name)
