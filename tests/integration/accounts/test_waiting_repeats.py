"""A copy of a call that is still running waits for that call, and holds no credits meanwhile."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import START, Customer, MakeAccount
from tests.integration.accounts.repeated_calls import (
    MAX_WAIT_S,
    POLL_S,
    BlockedCall,
    Photo,
    RecordingStore,
    Result,
    amounts,
    run,
    service_of,
    summary,
)

from blur.accounts.model import SECOND_US
from blur.errors import (
    ApiError,
    IdempotencyInProgressError,
    NoSubjectError,
    UnavailableError,
)
from blur.skew import CLOCK_SKEW_S

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.ports import AccountStore
    from blur.service import CallResult


def test_a_copy_waits_for_the_first_call_and_then_costs_nothing(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=1), BlockedCall()
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert amounts(store, customer, clock) == (0, 1, 0)  # the copy has no hold
        first.can_end.set()
        running.result()

    service = service_of(store, clock, sleep=sleep)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, service, customer, Photo(render_once=first.render))
        assert first.started.wait(30)
        assert summary(run(service, customer, Photo())) == ("result", True, 0)
    assert waits == [POLL_S]
    assert amounts(store, customer, clock) == (0, 0, 1)


def test_waiting_copy_counts_as_one_request_and_only_reads_the_idempotency_record(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first, recording_store = make_account(credits=1), BlockedCall(), RecordingStore(store)

    def sleep(_: float) -> None:
        if recording_store.called.count("find_record") == 3:
            first.can_end.set()
            running.result()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            run, service_of(store, clock), customer, Photo(render_once=first.render)
        )
        assert first.started.wait(30)
        copy = run(service_of(recording_store, clock, sleep=sleep), customer, Photo())
    assert summary(copy) == ("result", True, 0)
    assert recording_store.called == ["find_record", "authorize", *["find_record"] * 3]


def test_call_that_ends_after_its_idempotency_record_expired_is_charged(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=10), BlockedCall()
    service = service_of(store, clock, dedupe_s=1)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, service, customer, Photo(render_once=first.render))
        assert first.started.wait(30)
        clock.advance(1 + CLOCK_SKEW_S)
        assert not run(service, customer, Photo("other")).replayed
        first.can_end.set()
        assert summary(running.result()) == ("result", False, 1)
    assert amounts(store, customer, clock) == (8, 0, 2)


def test_a_copy_is_charged_if_the_first_call_fails_while_the_copy_waits(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=1), BlockedCall(fails=True)

    def sleep(_: float) -> None:
        first.can_end.set()
        with pytest.raises(NoSubjectError):
            running.result()

    service = service_of(store, clock, sleep=sleep)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, service, customer, Photo(render_once=first.render))
        assert first.started.wait(30)
        assert summary(run(service, customer, Photo())) == ("result", False, 1)
    assert amounts(store, customer, clock) == (0, 0, 1)


def test_call_is_charged_if_a_copy_claimed_the_record_first_and_then_failed(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=10), BlockedCall(fails=True)

    @dataclass
    class Overtaken(RecordingStore):
        """Sends the same call again when the first call has a hold but no record yet."""

        def claim_record(self, *args: Any, **times: Any) -> Any:  # noqa: ANN401 - the arguments are passed on
            if "claim" not in self.called:
                self.called.append("claim")
                started.append(pool.submit(run, other, customer, Photo(render_once=first.render)))
                assert first.started.wait(30)
            return self.store.claim_record(*args, **times)

    def sleep(seconds: float) -> None:
        clock.advance(seconds)
        assert amounts(store, customer, clock)[1] <= 1  # only the copy has a hold
        if clock.at_us >= START + 12 * SECOND_US:
            first.can_end.set()
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
    **call: Any,  # noqa: ANN401 - any arguments of `run`
) -> tuple[ApiError, float]:
    """Return the error for a copy of an unfinished call, and the seconds that the copy waited."""
    first = BlockedCall()
    service = service_of(store, clock)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, service, customer, Photo(render_once=first.render))
        assert first.started.wait(30)
        started_us = clock.at_us
        try:
            with pytest.raises(ApiError) as raised:
                run(service, customer, Photo(), **call)
        finally:
            first.can_end.set()
        running.result()
    return raised.value, (clock.at_us - started_us) / SECOND_US


def test_a_copy_waits_25_seconds_for_a_call_that_does_not_end_then_gets_retry_after(
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


def test_a_copy_of_a_call_stops_waiting_when_its_client_disconnects(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    error, waited_s = waiting_copy(store, clock, customer, is_client_connected=lambda: False)
    assert isinstance(error, IdempotencyInProgressError)
    assert waited_s == 0
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_copy_of_a_call_stops_waiting_before_the_timeout_of_lambda(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    error, waited_s = waiting_copy(store, clock, customer, left_ms=8_000)
    assert isinstance(error, UnavailableError)
    assert 3 <= waited_s < 3 + 2 * POLL_S
    assert amounts(store, customer, clock) == (9, 0, 1)


def test_a_repeated_call_is_not_charged_if_the_store_fails_while_the_call_waits(
    store: AccountStore, clock: Clock, make_account: MakeAccount
) -> None:
    customer, first = make_account(credits=10), BlockedCall()

    @dataclass
    class Failing:
        calls: Any = field(default_factory=count)

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - returns any method of the store
            return getattr(store, name)

        def find_record(self, *args: Any, **times: Any) -> Any:  # noqa: ANN401 - the arguments are passed on
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
        first.can_end.set()
        running.result()
    assert amounts(store, customer, clock) == (9, 0, 1)
