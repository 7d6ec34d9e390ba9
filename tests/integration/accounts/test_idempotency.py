"""A call is charged once, even if it is repeated many times at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.accounts.customer import (
    START,
    Customer,
    KeyedForm,
    MakeAccount,
    after,
    begin,
    key_record,
)
from tests.integration.accounts.spending import with_retries

from blur.account_status import RateLimit
from blur.accounts import idempotency
from blur.accounts.audit import differences
from blur.accounts.model import SECOND_US, Instant, Weight
from blur.errors import (
    IdempotencyConflictError,
    IdempotencyInProgressError,
    InsufficientCreditsError,
    UnavailableError,
)
from blur.skew import CLOCK_SKEW_S

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

FORM = KeyedForm("order-1", "fingerprint")
KEY = idempotency.IdempotencyKey(FORM.key)
DAY_S = 24 * 3_600


class Unreachable:
    """A store whose methods fail as if it could not be reached."""

    def __init__(self, store: AccountStore, *methods: str) -> None:
        self._store = store
        self._methods = methods

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - every method of the store
        if name in self._methods:
            message = "unreachable"
            raise UnavailableError(message, retry_after_s=1)
        return getattr(self._store, name)


class Retrying:
    """A store that retries each method while it is unavailable."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - every method of the store
        method = getattr(self._store, name)
        return lambda *args, **kwargs: with_retries(partial(method, *args, **kwargs))


def call(store: AccountStore, customer: Customer) -> str:
    """Make one complete call and return its result."""
    try:
        begun = begin(store, customer.hold(now_us=after(1)), FORM, now_us=after(1))
    except IdempotencyInProgressError:
        return "in progress"
    charged = idempotency.commit(store, begun, now_us=after(2)).credits_charged
    return "charged" if charged else "replayed"


def test_one_of_50_identical_concurrent_calls_is_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=50)
    patient: Any = Retrying(store)
    with ThreadPoolExecutor(50) as pool:
        endings = list(pool.map(lambda _: call(patient, customer), range(50)))
    assert endings.count("charged") == 1
    assert set(endings) <= {"charged", "replayed", "in progress"}
    account = store.read_account(customer.account_id, now_us=after(3))
    assert (account.balance, account.held, account.used) == (49, 0, 1)
    assert list(differences(account, store.list_entries(customer.account_id))) == []
    assert call(store, customer) == "replayed"


def test_a_rolled_back_call_leaves_neither_a_hold_nor_a_record(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    begun = begin(store, customer.hold(), FORM, now_us=START)
    standing = idempotency.rollback(store, begun, now_us=after(1))
    assert (standing.credits_charged, standing.credits_left) == (0, 1)
    assert call(store, customer) == "charged"


def test_a_repeated_call_is_not_rejected_because_the_first_one_holds_the_last_credit(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    first = begin(store, customer.hold(), FORM, now_us=START)
    with pytest.raises(IdempotencyInProgressError):
        begin(store, customer.hold(now_us=after(1)), FORM, now_us=after(1))
    idempotency.commit(store, first, now_us=after(2))
    assert call(store, customer) == "replayed"
    with pytest.raises(InsufficientCreditsError):
        begin(store, customer.hold(now_us=after(3)), KeyedForm("order-2", "other"), now_us=after(3))


def test_a_retry_takes_over_the_record_of_a_lost_call_when_the_hold_expires(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2)
    died = customer.hold()
    begun = begin(store, died, FORM, now_us=START)
    with pytest.raises(IdempotencyInProgressError) as caught:
        begin(store, customer.hold(now_us=after(1)), FORM, now_us=after(1))
    assert caught.value.account_status is not None
    assert caught.value.account_status.credits_left == 1
    late_us = Instant(died.expires_us + 10 * SECOND_US)
    taken = begin(store, customer.hold(now_us=late_us), FORM, now_us=late_us)
    assert idempotency.commit(store, taken, now_us=late_us).credits_charged == 1
    assert idempotency.commit(store, begun, now_us=late_us).credits_charged == 0
    account = store.read_account(customer.account_id, now_us=late_us)
    assert (account.balance, account.held, account.used) == (1, 0, 1)


@pytest.mark.parametrize("skew_s", [-CLOCK_SKEW_S, -2.5, 2.5, CLOCK_SKEW_S])
def test_a_short_hold_is_charged_once_by_two_machines_whose_clocks_differ(
    store: AccountStore, make_account: MakeAccount, skew_s: float
) -> None:
    customer = make_account(credits=10)
    hold_us = 3 * SECOND_US
    first = begin(store, customer.hold(ttl_us=hold_us), FORM, now_us=START)
    for seconds in (0.5, 1, 1.5):
        with pytest.raises(IdempotencyInProgressError):
            begin(
                store,
                customer.hold(ttl_us=hold_us, now_us=after(seconds + skew_s)),
                FORM,
                now_us=after(seconds + skew_s),
            )
    assert idempotency.commit(store, first, now_us=after(2)).credits_charged == 1
    replay = begin(
        store, customer.hold(now_us=after(2.5 + skew_s)), FORM, now_us=after(2.5 + skew_s)
    )
    assert idempotency.commit(store, replay, now_us=after(3 + skew_s)).credits_charged == 0
    account = store.read_account(customer.account_id, now_us=after(100))
    assert (account.balance, account.held, account.used) == (9, 0, 1)


@given(st.floats(-7200, 7200), st.floats(0, 120), st.floats(0, 120))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_difference_between_clocks_charges_an_idempotency_key_twice(
    store: AccountStore, make_account: MakeAccount, skew_s: float, retry_s: float, took_s: float
) -> None:
    customer = make_account(credits=10)
    first = begin(store, customer.hold(), FORM, now_us=START)
    charged = 0
    with suppress(IdempotencyInProgressError):
        second = begin(
            store,
            customer.hold(now_us=after(retry_s + skew_s)),
            FORM,
            now_us=after(retry_s + skew_s),
        )
        status = idempotency.commit(store, second, now_us=after(retry_s + skew_s))
        charged += status.credits_charged or 0
    charged += idempotency.commit(store, first, now_us=after(took_s)).credits_charged or 0
    account = store.read_account(customer.account_id, now_us=after(10_000))
    assert account.used == charged <= 1
    assert (account.balance, account.held) == (10 - charged, 0)


def test_a_call_whose_record_was_taken_over_is_not_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    first = begin(store, customer.hold(), FORM, now_us=START)
    second = begin(store, customer.hold(now_us=after(3_600)), FORM, now_us=after(3_600))
    status = idempotency.commit(store, first, now_us=after(1))
    assert status.credits_charged == 0
    assert idempotency.commit(store, second, now_us=after(3_601)).credits_charged == 1
    account = store.read_account(customer.account_id, now_us=after(3_602))
    assert (account.balance, account.held, account.used) == (9, 0, 1)


def test_a_call_without_an_idempotency_key_is_held_and_then_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    begun = begin(store, customer.hold(2), None, now_us=START)
    assert (begun.status.credits_charged, begun.status.credits_left) == (2, 3)
    assert begun.record is None
    assert idempotency.commit(store, begun, now_us=after(1)).credits_charged == 2


def test_a_conflict_has_the_reason_and_the_time_to_retry(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account()
    begin(store, customer.hold(), FORM, now_us=START)
    with pytest.raises(IdempotencyInProgressError, match="not ended yet") as running:
        begin(store, customer.hold(now_us=after(1)), FORM, now_us=after(1))
    assert running.value.retry_after_s == 2
    other = KeyedForm(FORM.key, "another photo")
    with pytest.raises(IdempotencyConflictError, match="used before") as conflict:
        begin(store, customer.hold(now_us=after(1)), other, now_us=after(1))
    assert conflict.value.account_status is not None
    assert (
        conflict.value.account_status.credits_charged,
        conflict.value.account_status.credits_left,
    ) == (
        0,
        99,
    )


def test_an_idempotency_key_is_valid_for_a_day_by_the_clock_of_any_machine(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account()
    begun = begin(store, customer.hold(), FORM, now_us=START)
    idempotency.commit(store, begun, now_us=after(1))
    last_us = Instant(after(DAY_S + CLOCK_SKEW_S) - 1)
    assert begin(store, customer.hold(now_us=last_us), FORM, now_us=last_us).is_replay
    later_us = after(DAY_S + CLOCK_SKEW_S)
    assert not begin(store, customer.hold(now_us=later_us), FORM, now_us=later_us).is_replay


def test_a_call_whose_record_cannot_be_written_is_rejected_and_refunded_immediately(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    out = Unreachable(store, "claim_record")
    with pytest.raises(UnavailableError):
        begin(out, customer.hold(), FORM, now_us=START)
    account = store.read_account(customer.account_id, now_us=START)
    assert (account.balance, account.held, account.used) == (1, 0, 0)


def test_if_the_store_fails_between_hold_and_record_the_call_is_rejected_and_the_hold_expires(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    out = Unreachable(store, "claim_record", "refund")
    with pytest.raises(UnavailableError):
        begin(out, customer.hold(), FORM, now_us=START)
    assert store.read_account(customer.account_id, now_us=START).held == 1
    assert store.read_account(customer.account_id, now_us=after(120)).balance == 1


@pytest.mark.parametrize("form", [None, FORM])
def test_a_charge_whose_response_is_lost_is_reported_as_unknown(
    store: AccountStore, make_account: MakeAccount, form: KeyedForm | None
) -> None:
    customer = make_account(credits=5)
    begun = begin(store, customer.hold(2), form, now_us=START)
    status = idempotency.commit(Unreachable(store, "settle"), begun, now_us=after(1))
    assert (status.credits_charged, status.credits_left) == (None, 3)


def test_a_call_with_a_test_key_is_reported_as_free_even_if_the_response_is_lost(
    store: AccountStore, make_account: MakeAccount
) -> None:
    begun = begin(store, make_account().hold(0), None, now_us=START)
    status = idempotency.commit(Unreachable(store, "settle"), begun, now_us=after(1))
    assert status.credits_charged == 0


def test_a_call_whose_record_cannot_be_marked_done_is_not_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    begun = begin(store, customer.hold(2), FORM, now_us=START)
    status = idempotency.commit(Unreachable(store, "complete_record"), begun, now_us=after(1))
    assert (status.credits_charged, status.credits_left) == (0, 3)
    account = store.read_account(customer.account_id, now_us=after(120))
    assert (account.balance, account.held, account.used) == (5, 0, 0)


def test_a_copy_that_is_not_the_first_costs_nothing_even_if_its_hold_has_to_expire(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    out = Unreachable(store, "refund")
    late = idempotency.reserve(store, customer.hold(), KEY, now_us=START)
    assert call(store, customer) == "charged"
    replay = idempotency.identify(out, late, FORM.fingerprint, now_us=after(3))
    assert replay.is_replay
    status = idempotency.commit(out, replay, now_us=after(4))
    assert (status.credits_charged, status.credits_left) == (0, 4)
    account = store.read_account(customer.account_id, now_us=after(120))
    assert (account.balance, account.held, account.used) == (4, 0, 1)


def test_a_replay_and_a_conflict_take_no_hold(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2)
    assert call(store, customer) == "charged"
    running = KeyedForm("order-2")
    begin(store, customer.hold(0, now_us=after(1)), running, now_us=after(1))
    out = Unreachable(store, "reserve", "refund")
    hold = customer.hold(now_us=after(2))
    assert begin(out, hold, FORM, now_us=after(2)).status.credits_left == 1
    with pytest.raises(IdempotencyConflictError) as conflict:
        begin(out, hold, KeyedForm(FORM.key, "other"), now_us=after(2))
    with pytest.raises(IdempotencyInProgressError) as in_progress:
        begin(out, hold, running, now_us=after(2))
    for error in (conflict.value, in_progress.value):
        assert error.account_status is not None
        assert (error.account_status.credits_charged, error.account_status.credits_left) == (0, 1)


def test_212_replays_and_conflicts_with_one_credit_left_cause_no_402(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2)
    assert call(store, customer) == "charged"

    def spend(_: int) -> str:
        hold = customer.hold(now_us=after(2))
        try:
            held = with_retries(lambda: idempotency.reserve(store, hold, None, now_us=after(2)))
        except InsufficientCreditsError:
            return "402"
        with_retries(lambda: idempotency.rollback(store, held, now_us=after(2)))
        return "held"

    def repeat(number: int) -> str:
        form = KeyedForm(FORM.key, "other") if number % 2 else FORM
        hold = customer.hold(now_us=after(2))
        try:
            begun = with_retries(lambda: begin(store, hold, form, now_us=after(2)))
        except IdempotencyConflictError:
            return "409"
        return "replayed" if begun.is_replay else "held twice"

    with ThreadPoolExecutor(8) as pool:
        repeats = [pool.submit(repeat, number) for number in range(212)]
        spent = [spend(number) for number in range(40)]
        ends = [repeated.result() for repeated in repeats]
    assert spent == ["held"] * 40
    assert (ends.count("replayed"), ends.count("409")) == (106, 106)
    account = store.read_account(customer.account_id, now_us=after(3))
    assert (account.balance, account.held, account.used) == (1, 0, 1)


def test_an_uncharged_call_with_a_key_adds_its_weight(
    store: AccountStore, make_account: MakeAccount
) -> None:
    limit = RateLimit(per_minute=60, burst=20)
    weight = Weight(4, limit)
    customer = make_account(credits=5, limit=limit)
    failed = begin(store, customer.hold(), FORM, now_us=START)
    status = idempotency.rollback(store, failed, now_us=START, weight=weight)
    assert status.rate.remaining == 15
    charged = begin(store, customer.hold(), FORM, now_us=START)
    assert idempotency.commit(store, charged, now_us=START).rate.remaining == 14
    for end, remaining in ((idempotency.commit, 9), (idempotency.rollback, 4)):
        replay = begin(store, customer.hold(), FORM, now_us=START)
        assert end(store, replay, now_us=START, weight=weight).rate.remaining == remaining
    replay = begin(store, customer.hold(), FORM, now_us=START)
    out = Unreachable(store, "add_weight")
    assert idempotency.commit(out, replay, now_us=START, weight=weight) == replay.status


class LateRecord:
    """A store that finds no record at the first look-up."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._is_late = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - every method of the store
        if name == "find_record" and not self._is_late:
            self._is_late = True
            return lambda *_, **__: None
        return getattr(self._store, name)


def test_a_call_rejected_for_credits_replays_the_call_that_holds_the_credits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    first = begin(store, customer.hold(), FORM, now_us=START)
    hold = customer.hold(now_us=after(1))
    late: Any = LateRecord(store)
    replay = idempotency.reserve(late, hold, KEY, now_us=after(1))
    assert (replay.is_replay, replay.hold, replay.scope) == (True, hold, first.scope)
    assert replay.earlier == first.record
    assert (replay.status.credits_charged, replay.status.credits_left) == (0, 0)


def test_a_call_whose_key_has_a_record_is_a_replay_before_the_form_is_read(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    first = begin(store, customer.hold(), FORM, now_us=START)
    replay = idempotency.reserve(store, customer.hold(), KEY, now_us=START)
    assert replay.is_replay
    assert (replay.scope, replay.earlier) == (first.scope, first.record)


def test_two_api_keys_can_use_the_same_idempotency_key(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    other = key_record(customer.account_id)
    store.add_key(other, now_us=START)
    for digest in (customer.digest, other.digest):
        reservation = begin(store, replace(customer, digest=digest).hold(), FORM, now_us=START)
        assert idempotency.commit(store, reservation, now_us=START).credits_charged == 1


def test_free_calls_and_calls_whose_record_was_taken_over_add_their_weight(
    store: AccountStore, make_account: MakeAccount
) -> None:
    limit = RateLimit(per_minute=60, burst=20)
    weight = Weight(4, limit)
    customer = make_account(credits=5, limit=limit)
    free = begin(store, customer.hold(0), None, now_us=START)
    assert idempotency.commit(store, free, now_us=START, weight=weight).rate.remaining == 15
    first = begin(store, customer.hold(), FORM, now_us=START)
    assert first.record is not None
    store.release_record(first.record)
    status = idempotency.commit(store, first, now_us=START, weight=weight)
    assert (status.credits_charged, status.rate.remaining) == (0, 10)
