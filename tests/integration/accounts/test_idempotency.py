"""A call with an idempotency key is charged once, even if it is repeated many times."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import (
    START,
    KeyedForm,
    MakeAccount,
    after,
    begin,
    key_record,
)
from tests.integration.accounts.idempotent_calls import FORM, KEY, Unreachable, call
from tests.integration.accounts.spending import with_retries

from blur.accounts import idempotency
from blur.accounts.audit import differences
from blur.accounts.model import SECOND_US
from blur.errors import (
    IdempotencyConflictError,
    IdempotencyInProgressError,
    InsufficientCreditsError,
)

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore


class Retrying:
    """A store that retries each method while the real store is unavailable."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - returns any method of the store
        method = getattr(self._store, name)
        return lambda *args, **kwargs: with_retries(partial(method, *args, **kwargs))


def test_only_one_of_50_identical_concurrent_calls_is_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=50)
    retrying: Any = Retrying(store)
    with ThreadPoolExecutor(50) as pool:
        endings = list(pool.map(lambda _: call(retrying, customer), range(50)))
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
    started = begin(store, customer.hold(), FORM, now_us=START)
    standing = idempotency.rollback(store, started, now_us=after(1))
    assert (standing.credits_charged, standing.credits_left) == (0, 1)
    assert call(store, customer) == "charged"


@pytest.mark.parametrize(("age_s", "wait_s"), [(0, 2), (3, 3), (20, 20), (60, 30), (118, 7)])
def test_while_the_first_call_runs_retry_after_is_the_time_that_this_call_has_run_within_limits(
    store: AccountStore, make_account: MakeAccount, age_s: int, wait_s: int
) -> None:
    customer = make_account()
    begin(store, customer.hold(ttl_us=120 * SECOND_US), FORM, now_us=START)
    now_us = after(age_s)
    with pytest.raises(IdempotencyInProgressError) as running:
        begin(store, customer.hold(now_us=now_us), FORM, now_us=now_us)
    assert running.value.retry_after_s == wait_s


def test_a_repeated_call_gets_no_402_while_the_first_call_holds_the_last_credit(
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


def test_a_call_without_an_idempotency_key_reserves_its_price_and_is_then_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    started = begin(store, customer.hold(2), None, now_us=START)
    assert (started.status.credits_charged, started.status.credits_left) == (2, 3)
    assert started.record is None
    assert idempotency.commit(store, started, now_us=after(1)).credits_charged == 2


def test_an_idempotency_key_in_use_or_used_with_another_photo_is_rejected_with_the_reason(
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


def test_a_replay_and_a_conflict_reserve_no_credits(
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


def test_replays_and_conflicts_never_hold_the_last_credit_so_other_calls_get_no_402(
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
            started = with_retries(lambda: begin(store, hold, form, now_us=after(2)))
        except IdempotencyConflictError:
            return "409"
        return "replayed" if started.is_replay else "held twice"

    with ThreadPoolExecutor(8) as pool:
        repeats = [pool.submit(repeat, number) for number in range(212)]
        spent = [spend(number) for number in range(40)]
        ends = [repeated.result() for repeated in repeats]
    assert spent == ["held"] * 40
    assert (ends.count("replayed"), ends.count("409")) == (106, 106)
    account = store.read_account(customer.account_id, now_us=after(3))
    assert (account.balance, account.held, account.used) == (1, 0, 1)


class LateRecord:
    """A store that finds no idempotency record at the first look-up."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._is_late = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - returns any method of the store
        if name == "find_record" and not self._is_late:
            self._is_late = True
            return lambda *_, **__: None
        return getattr(self._store, name)


def test_a_repeated_call_is_a_replay_even_if_the_first_call_holds_the_last_credit(
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


def test_a_call_whose_idempotency_key_has_a_record_is_replayed_without_its_form(
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
