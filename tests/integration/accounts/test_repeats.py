"""Repeated calls without an `Idempotency-Key`: copies of a request are one call, on both stores."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.integration.accounts.customer import START, Customer, MakeAccount, key_record, new_id
from tests.integration.accounts.spending import with_retries

from blur.account_status import RateLimit
from blur.accounts.audit import differences
from blur.accounts.idempotency import IdempotencyKey
from blur.accounts.keys import ApiKey
from blur.accounts.model import SECOND_US, Instant, KeyKind
from blur.accounts.repeats import derived_key
from blur.credits import ONE, QUARTER, Credits
from blur.errors import (
    ApiError,
    IdempotencyInProgressError,
    InsufficientCreditsError,
    NoSubjectError,
    RateLimitError,
    UnavailableError,
)
from blur.forms import PriceRange, Prices
from blur.image_requests import Engine, OnStep
from blur.imaging.encode.encoder import EncodedImage
from blur.imaging.removal import remove
from blur.service import REMOVAL_STEPS, CallResult, ImageService
from blur.skew import CLOCK_SKEW_S
from blur.storage.large_results import Results
from blur.timing import TOTAL

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore
    from blur.storage.ports import Link

PRICES = Prices(image=ONE, preview=QUARTER, person=ONE)
DEDUPE_S = 120
MAX_WAIT_S, POLL_S = 25, 0.25
"""As documented."""


@dataclass
class Clock:
    """A clock that a test moves."""

    at_us: int = START

    def __call__(self) -> Instant:
        return Instant(self.at_us)

    def advance(self, seconds: float) -> None:
        self.at_us += round(seconds * SECOND_US)


class Result(NamedTuple):
    """A result that is a text."""

    text: str
    image: EncodedImage = EncodedImage(b"", "image/png")
    photo_pixels: int = 0


@dataclass
class Photo:
    """A parsed form and its complete request; `render` computes the result or raises."""

    content: str = "photo"
    """The content of the request, by which copies are recognised before the image is loaded."""
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
        for step in remove.STEPS:
            on_step(step)
        return Result(self.render_once())

    def store_if_large(self, output: Result, results: Results, *, now_us: int) -> Link | None:
        del output, results, now_us
        return None


def no_model() -> Any:  # noqa: ANN401 - never called
    raise AssertionError


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(store: AccountStore, clock: Clock) -> ImageService:
    return service_of(store, clock)


def service_of(store: Any, clock: Clock, **changes: Any) -> ImageService:  # noqa: ANN401 - also a store that fails
    numbers, lock = count(), Lock()

    def new_hold_id() -> str:
        with lock:
            return f"{new_id('hold')}_{next(numbers)}"

    values: dict[str, Any] = {
        "store": store,
        "engine": Engine(model=no_model, max_pixels=1),
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


def run(  # noqa: PLR0913 - the call and the state of its client
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


def test_a_copy_is_not_charged_and_gets_the_result_again(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    clock.advance(DEDUPE_S - 1)
    assert summary(run(service, customer, Photo())) == ("result", True, 0)
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_the_steps_of_a_removal_have_their_documented_order(
    service: ImageService, make_account: MakeAccount
) -> None:
    result = run(service, make_account(credits=10), Photo())
    assert list(result.durations_ms) == [*REMOVAL_STEPS, TOTAL]
    documented = ("read", "reserve", "decode", "matte", "refine", "render", "encode", "store")
    assert (*documented, "settle") == REMOVAL_STEPS


def test_a_call_after_two_minutes_is_a_new_one(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    run(service, customer, Photo())
    clock.advance(DEDUPE_S + CLOCK_SKEW_S)
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert amounts(store, customer, clock) == (8, 0, 2)


def test_other_content_and_another_key_are_other_calls(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    record = key_record(customer.account_id)
    store.add_key(record, now_us=START)
    other_key = Customer(customer.account_id, record.digest)
    for customer_, photo in ((customer, Photo()), (customer, Photo("other")), (other_key, Photo())):
        assert not run(service, customer_, photo).replayed
    assert amounts(store, customer, clock) == (7, 0, 3)


def test_with_the_setting_off_every_call_is_charged(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    service, customer = service_of(store, clock, dedupe_s=0), make_account(credits=10)
    for _ in range(2):
        assert not run(service, customer, Photo()).replayed
    assert amounts(store, customer, clock) == (8, 0, 2)


def test_the_last_credit_pays_for_the_copy_too(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    run(service, customer, Photo())
    assert summary(run(service, customer, Photo())) == ("result", True, 0)
    with pytest.raises(InsufficientCreditsError):
        run(service, customer, Photo("other"))
    assert amounts(store, customer, clock) == (0, 0, 1)


def test_a_copy_of_a_failed_call_is_a_new_call(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    with pytest.raises(NoSubjectError):
        run(service, customer, Photo(render_once=failing))
    assert amounts(store, customer, clock) == (10, 0, 0)
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_call_whose_client_disconnected_is_not_charged_and_its_copy_is(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    lost = run(service, customer, Photo(), is_client_connected=lambda: False)
    assert lost.status.credits_charged == 0
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_key_of_the_client_counts_instead(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    for value in ("a", "b"):
        assert not run(service, customer, Photo(), idempotency_key=IdempotencyKey(value)).replayed
    clock.advance(DEDUPE_S + CLOCK_SKEW_S)
    assert run(service, customer, Photo(), idempotency_key=IdempotencyKey("a")).replayed
    assert amounts(store, customer, clock) == (8, 0, 2)


def test_of_24_concurrent_copies_one_is_charged_and_all_get_the_result(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    service = service_of(store, clock, sleep=lambda _: time.sleep(0.02))
    photo = Photo(render_once=slow)
    with ThreadPoolExecutor(24) as pool:
        results = list(
            pool.map(lambda _: with_retries(lambda: run(service, customer, photo)), range(24))
        )
    assert sorted(map(summary, results)) == [("result", False, 1)] + [("result", True, 0)] * 23
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_12_concurrent_copies_that_share_the_last_credit_all_get_the_result(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    service = service_of(store, clock, sleep=lambda _: time.sleep(0.02))
    photo = Photo(render_once=slow)

    def call(_: int) -> str:
        # Copies that reserve before the first one has its record can get 402, as documented.
        for _ in range(50):
            try:
                return with_retries(lambda: run(service, customer, photo)).output.text
            except InsufficientCreditsError:
                time.sleep(0.05)
        raise AssertionError

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(call, range(12))) == {"result"}
    assert amounts(store, customer, clock) == (0, 0, 1)


def test_if_a_call_fails_twice_one_of_its_concurrent_copies_is_charged(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, attempts, lock = make_account(credits=10), count(), Lock()
    service = service_of(store, clock, sleep=lambda _: time.sleep(0.02))

    def fails_twice() -> str:
        time.sleep(0.05)
        with lock:
            attempt = next(attempts)
        return failing() if attempt < 2 else "result"

    def call(_: int) -> tuple[str, bool, int | None]:
        try:
            return summary(
                with_retries(lambda: run(service, customer, Photo(render_once=fails_twice)))
            )
        except NoSubjectError:
            return "failed", False, 0

    with ThreadPoolExecutor(12) as pool:
        results = sorted(pool.map(call, range(12)))
    assert results[:2] == [("failed", False, 0)] * 2
    assert results[2:] == [("result", False, 1)] + [("result", True, 0)] * 9
    assert amounts(store, customer, clock) == (9, 0, 1)


@dataclass
class Running:
    """A first call that runs in a thread until the test ends it."""

    started: Event = field(default_factory=Event)
    may_end: Event = field(default_factory=Event)
    fails: bool = False

    def render(self) -> str:
        self.started.set()
        assert self.may_end.wait(30)
        return failing() if self.fails else "result"


def test_a_copy_waits_for_the_first_call_and_then_costs_nothing(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=1), Running()
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert amounts(store, customer, clock) == (0, 1, 0)  # the copy holds nothing
        first.may_end.set()
        running.result()

    service = service_of(store, clock, sleep=sleep)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, service, customer, Photo(render_once=first.render))
        assert first.started.wait(30)
        assert summary(run(service, customer, Photo())) == ("result", True, 0)
    assert waits == [POLL_S]
    assert amounts(store, customer, clock) == (0, 0, 1)


@dataclass
class Watched:
    """A store that records the methods that are called."""

    store: AccountStore
    called: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - every method of the store
        self.called.append(name)
        return getattr(self.store, name)


def test_a_copy_that_waits_counts_as_one_request_and_only_reads_the_record(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first, watched = make_account(credits=1), Running(), Watched(store)

    def sleep(_: float) -> None:
        if watched.called.count("find_record") == 3:
            first.may_end.set()
            running.result()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            run, service_of(store, clock), customer, Photo(render_once=first.render)
        )
        assert first.started.wait(30)
        copy = run(service_of(watched, clock, sleep=sleep), customer, Photo())
    assert summary(copy) == ("result", True, 0)
    assert watched.called == ["find_record", "authorize", *["find_record"] * 3]


def test_a_call_that_takes_longer_than_its_record_counts_is_charged(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=10), Running()
    service = service_of(store, clock, dedupe_s=1)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, service, customer, Photo(render_once=first.render))
        assert first.started.wait(30)
        clock.advance(1 + CLOCK_SKEW_S)
        assert not run(service, customer, Photo("other")).replayed
        first.may_end.set()
        assert summary(running.result()) == ("result", False, 1)
    assert amounts(store, customer, clock) == (8, 0, 2)


def test_different_content_has_different_records() -> None:
    one, other = (derived_key(content, remember_us=1) for content in ("one", "other"))
    assert one.scope("digest") != other.scope("digest")
    assert one.scope("digest") != IdempotencyKey("one").scope("digest")


def test_a_copy_of_a_call_that_fails_meanwhile_is_charged(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=1), Running(fails=True)

    def sleep(_: float) -> None:
        first.may_end.set()
        with pytest.raises(NoSubjectError):
            running.result()

    service = service_of(store, clock, sleep=sleep)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, service, customer, Photo(render_once=first.render))
        assert first.started.wait(30)
        assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert amounts(store, customer, clock) == (0, 0, 1)


def test_a_call_that_was_overtaken_by_a_failing_copy_takes_a_new_hold(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=10), Running(fails=True)

    @dataclass
    class Overtaken(Watched):
        """A store that starts the copy between the reservation and the record of a call."""

        def claim_record(self, *args: Any, **times: Any) -> Any:  # noqa: ANN401 - passed on
            if "claim" not in self.called:
                self.called.append("claim")
                started.append(pool.submit(run, other, customer, Photo(render_once=first.render)))
                assert first.started.wait(30)
            return self.store.claim_record(*args, **times)

    def sleep(seconds: float) -> None:
        clock.advance(seconds)
        assert amounts(store, customer, clock)[1] <= 1  # only the copy holds its price
        if clock.at_us >= START + 12 * SECOND_US:
            first.may_end.set()
            with pytest.raises(NoSubjectError):
                started[0].result()

    started: list[Future[CallResult[Result]]] = []
    other = service_of(store, clock)
    with ThreadPoolExecutor(1) as pool:
        overtaken = service_of(Overtaken(store), clock, sleep=sleep, hold_ttl_s=10)
        assert summary(run(overtaken, customer, Photo())) == ("result", False, 1)
    assert amounts(store, customer, clock) == (9, 0, 1)


def waiting_copy(
    store: AccountStore,
    clock: Clock,
    customer: Customer,
    **call: Any,  # noqa: ANN401 - arguments of `run`
) -> tuple[ApiError, float]:
    """Return the error of a copy whose first call does not end, and how long it waited."""
    first = Running()
    service = service_of(store, clock)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, service, customer, Photo(render_once=first.render))
        assert first.started.wait(30)
        begun_us = clock.at_us
        try:
            with pytest.raises(ApiError) as raised:
                run(service, customer, Photo(), **call)
        finally:
            first.may_end.set()
        running.result()
    return raised.value, (clock.at_us - begun_us) / SECOND_US


def test_a_copy_gives_up_after_a_while_and_can_be_sent_again(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    error, waited_s = waiting_copy(store, clock, customer)
    assert isinstance(error, IdempotencyInProgressError)
    assert error.retry_after_s == 2
    assert error.account_status is not None
    assert error.account_status.credits_charged == 0
    assert waited_s == MAX_WAIT_S
    assert "has not ended yet" in error.message
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_copy_stops_waiting_when_its_client_disconnects(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    error, waited_s = waiting_copy(store, clock, customer, is_client_connected=lambda: False)
    assert isinstance(error, IdempotencyInProgressError)
    assert waited_s == 0
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_copy_stops_waiting_before_the_time_out_of_lambda(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    error, waited_s = waiting_copy(store, clock, customer, left_ms=8_000)
    assert isinstance(error, UnavailableError)
    assert 3 <= waited_s < 3 + 2 * POLL_S
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_copy_that_cannot_reach_the_store_while_it_waits_costs_nothing(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=10), Running()

    @dataclass
    class Failing:
        calls: Any = field(default_factory=count)

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - every method of the store
            return getattr(store, name)

        def find_record(self, *args: Any, **times: Any) -> Any:  # noqa: ANN401 - passed on
            if next(self.calls):
                message = "unreachable"
                raise UnavailableError(message)
            return store.find_record(*args, **times)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            run, service_of(store, clock), customer, Photo(render_once=first.render)
        )
        assert first.started.wait(30)
        with pytest.raises(UnavailableError):
            run(service_of(Failing(), clock), customer, Photo())
        first.may_end.set()
        running.result()
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_record_whose_confirmation_was_lost_does_not_block_the_copy(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)

    class Unconfirmed(Watched):
        """A store whose response to the stored record is lost."""

        def claim_record(self, *args: Any, **times: Any) -> Any:  # noqa: ANN401 - passed on
            self.store.claim_record(*args, **times)
            message = "unreachable"
            raise UnavailableError(message)

    with pytest.raises(UnavailableError):
        run(service_of(Unconfirmed(store), clock), customer, Photo())
    begun_us = clock.at_us
    assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert clock.at_us == begun_us
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_url_with_another_image_is_a_new_call_and_its_copies_are_not(
    service: ImageService, store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2)
    old, new = Photo("url", image="old"), Photo("url", image="new")
    assert [run(service, customer, photo).replayed for photo in (old, old, new, new, old)] == [
        False,
        True,
        False,
        True,
        True,
    ]
    assert amounts(store, customer, clock) == (0, 0, 2)
    with pytest.raises(InsufficientCreditsError):
        run(service, customer, Photo("url", image="newest"))
    assert amounts(store, customer, clock) == (0, 0, 2)


def test_concurrent_calls_for_a_changing_url_are_charged_once_for_each_image(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=20)
    service = service_of(store, clock, sleep=lambda _: time.sleep(0.02))

    def call(number: int) -> bool:
        photo = Photo("url", image=f"image {number % 3}", render_once=slow)
        return with_retries(lambda: run(service, customer, photo)).replayed

    with ThreadPoolExecutor(18) as pool:
        assert sorted(pool.map(call, range(18))) == [False] * 3 + [True] * 15
    assert amounts(store, customer, clock) == (17, 0, 3)


def test_an_image_is_loaded_only_after_the_reservation(
    service: ImageService, make_account: MakeAccount
) -> None:
    poor = make_account(credits=0)
    limited = make_account(credits=10, limit=RateLimit(1, 1))
    photo = Photo()
    with pytest.raises(InsufficientCreditsError):
        run(service, poor, photo)
    run(service, limited, Photo())
    with pytest.raises(RateLimitError):
        run(service, limited, photo)
    assert photo.loaded == []
