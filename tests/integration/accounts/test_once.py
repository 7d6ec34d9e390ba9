"""One charge for one call, whatever is repeated and however many repeat it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.accounts.customer import START, Customer, MakeAccount, after

from blur.accounts import once
from blur.accounts.audit import differences
from blur.accounts.model import SECOND_US, Instant
from blur.errors import (
    IdempotencyConflictError,
    IdempotencyInProgressError,
    InsufficientCreditsError,
    UnavailableError,
)
from blur.skew import CLOCK_SKEW_S

if TYPE_CHECKING:
    from blur.accounts.store import AccountStore

TICKET = once.Ticket("order-1", "fingerprint")
DAY_S = 24 * 3_600


class OutOfReach:
    """A store of which some methods answer as they do while it cannot be reached."""

    def __init__(self, store: AccountStore, *methods: str) -> None:
        self._store = store
        self._methods = methods

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        if name in self._methods:
            message = "out of reach"
            raise UnavailableError(message, retry_after_s=1)
        return getattr(self._store, name)


def call(store: AccountStore, customer: Customer) -> str:
    """Make one whole call and say how it ended."""
    try:
        begun = once.begin(store, customer.claim(), TICKET, now_us=after(1))
    except IdempotencyInProgressError:
        return "in progress"
    charged = once.finish(store, begun, now_us=after(2)).credits_charged
    return "charged" if charged else "replayed"


def test_of_50_identical_calls_at_once_one_is_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=50)
    with ThreadPoolExecutor(50) as pool:
        endings = list(pool.map(lambda _: call(store, customer), range(50)))
    assert endings.count("charged") == 1
    assert set(endings) <= {"charged", "replayed", "in progress"}
    account = store.account(customer.account_id, now_us=after(3))
    assert (account.balance, account.held, account.used) == (49, 0, 1)
    assert list(differences(account, store.entries(customer.account_id))) == []
    assert call(store, customer) == "replayed"


def test_an_abandoned_call_leaves_neither_a_hold_nor_a_record(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    begun = once.begin(store, customer.claim(), TICKET, now_us=START)
    standing = once.abandon(store, begun, now_us=after(1))
    assert standing is not None
    assert (standing.credits_charged, standing.credits_left) == (0, 1)
    assert call(store, customer) == "charged"


def test_the_last_credit_held_by_the_first_call_does_not_refuse_its_repetition(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    first = once.begin(store, customer.claim(), TICKET, now_us=START)
    with pytest.raises(IdempotencyInProgressError):
        once.begin(store, customer.claim(), TICKET, now_us=after(1))
    once.finish(store, first, now_us=after(2))
    assert call(store, customer) == "replayed"
    with pytest.raises(InsufficientCreditsError):
        once.begin(store, customer.claim(), once.Ticket("order-2", "other"), now_us=after(3))


def test_a_call_that_died_is_taken_over_when_its_hold_expires(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2)
    died = customer.claim()
    begun = once.begin(store, died, TICKET, now_us=START)
    with pytest.raises(IdempotencyInProgressError) as caught:
        once.begin(store, customer.claim(), TICKET, now_us=after(1))
    assert caught.value.standing is not None
    assert caught.value.standing.credits_left == 1
    late_us = after(died.hold_ttl_us // 1_000_000 + 10)
    taken = once.begin(store, customer.claim(), TICKET, now_us=late_us)
    assert once.finish(store, taken, now_us=late_us).credits_charged == 1
    assert once.finish(store, begun, now_us=late_us).credits_charged == 0
    account = store.account(customer.account_id, now_us=late_us)
    assert (account.balance, account.held, account.used) == (1, 0, 1)


@pytest.mark.parametrize("skew_s", [-CLOCK_SKEW_S, -2.5, 2.5, CLOCK_SKEW_S])
def test_a_short_hold_is_charged_once_by_two_machines_whose_clocks_differ(
    store: AccountStore, make_account: MakeAccount, skew_s: float
) -> None:
    customer = make_account(credits=10)
    hold_us = 3 * SECOND_US
    first = once.begin(store, customer.claim(ttl_us=hold_us), TICKET, now_us=START)
    for seconds in (0.5, 1, 1.5):
        with pytest.raises(IdempotencyInProgressError):
            once.begin(
                store, customer.claim(ttl_us=hold_us), TICKET, now_us=after(seconds + skew_s)
            )
    assert once.finish(store, first, now_us=after(2)).credits_charged == 1
    replay = once.begin(store, customer.claim(), TICKET, now_us=after(2.5 + skew_s))
    assert once.finish(store, replay, now_us=after(3 + skew_s)).credits_charged == 0
    account = store.account(customer.account_id, now_us=after(100))
    assert (account.balance, account.held, account.used) == (9, 0, 1)


@given(st.floats(-7200, 7200), st.floats(0, 120), st.floats(0, 120))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_difference_of_clocks_charges_an_idempotency_key_twice(
    store: AccountStore, make_account: MakeAccount, skew_s: float, retry_s: float, took_s: float
) -> None:
    customer = make_account(credits=10)
    first = once.begin(store, customer.claim(), TICKET, now_us=START)
    charged = 0
    with suppress(IdempotencyInProgressError):
        second = once.begin(store, customer.claim(), TICKET, now_us=after(retry_s + skew_s))
        charged += once.finish(store, second, now_us=after(retry_s + skew_s)).credits_charged
    charged += once.finish(store, first, now_us=after(took_s)).credits_charged
    account = store.account(customer.account_id, now_us=after(10_000))
    assert account.used == charged <= 1
    assert (account.balance, account.held) == (10 - charged, 0)


def test_a_call_whose_record_was_taken_over_is_not_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    first = once.begin(store, customer.claim(), TICKET, now_us=START)
    second = once.begin(store, customer.claim(), TICKET, now_us=after(3_600))
    status = once.finish(store, first, now_us=after(1))
    assert status.credits_charged == 0
    assert once.finish(store, second, now_us=after(3_601)).credits_charged == 1
    account = store.account(customer.account_id, now_us=after(3_602))
    assert (account.balance, account.held, account.used) == (9, 0, 1)


def test_a_call_without_an_idempotency_key_is_held_and_then_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    begun = once.begin(store, customer.claim(2), None, now_us=START)
    assert (begun.standing.credits_charged, begun.standing.credits_left) == (2, 3)
    assert begun.hold is not None
    assert begun.record is None
    assert once.finish(store, begun, now_us=after(1)).credits_charged == 2


def test_a_client_is_told_what_became_of_its_key_and_when_to_ask_again(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account()
    once.begin(store, customer.claim(), TICKET, now_us=START)
    with pytest.raises(IdempotencyInProgressError, match="not ended yet") as running:
        once.begin(store, customer.claim(), TICKET, now_us=after(1))
    assert running.value.retry_after_s == 2
    other = once.Ticket(TICKET.idempotency_key, "another photo")
    with pytest.raises(IdempotencyConflictError, match="used before") as conflict:
        once.begin(store, customer.claim(), other, now_us=after(1))
    assert conflict.value.standing is not None
    assert (conflict.value.standing.credits_charged, conflict.value.standing.credits_left) == (
        0,
        99,
    )


def test_an_idempotency_key_counts_for_a_day_by_the_clock_of_any_machine(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account()
    begun = once.begin(store, customer.claim(), TICKET, now_us=START)
    once.finish(store, begun, now_us=after(1))
    last_us = Instant(after(DAY_S + CLOCK_SKEW_S) - 1)
    assert once.begin(store, customer.claim(), TICKET, now_us=last_us).hold is None
    later_us = after(DAY_S + CLOCK_SKEW_S)
    assert once.begin(store, customer.claim(), TICKET, now_us=later_us).hold is not None


def test_a_call_whose_record_cannot_be_written_is_refused_and_gives_its_credit_back_at_once(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    out = OutOfReach(store, "claim_record")
    with pytest.raises(UnavailableError):
        once.begin(out, customer.claim(), TICKET, now_us=START)
    account = store.account(customer.account_id, now_us=START)
    assert (account.balance, account.held, account.used) == (1, 0, 0)


def test_a_store_lost_between_hold_and_record_refuses_the_call_and_the_hold_expires(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    out = OutOfReach(store, "claim_record", "refund")
    with pytest.raises(UnavailableError):
        once.begin(out, customer.claim(), TICKET, now_us=START)
    assert store.account(customer.account_id, now_us=START).held == 1
    assert store.account(customer.account_id, now_us=after(120)).balance == 1


@pytest.mark.parametrize("ticket", [None, TICKET])
@pytest.mark.parametrize("lost", ["complete_record", "settle"])
def test_a_picture_is_delivered_though_the_store_was_lost_and_tells_the_most_it_can_have_cost(
    store: AccountStore, make_account: MakeAccount, ticket: once.Ticket | None, lost: str
) -> None:
    customer = make_account(credits=5)
    begun = once.begin(store, customer.claim(2), ticket, now_us=START)
    standing = once.finish(OutOfReach(store, lost, "settle"), begun, now_us=after(1))
    assert (standing.credits_charged, standing.credits_left) == (2, 3)


def test_a_repetition_costs_nothing_though_its_hold_cannot_be_given_back_just_now(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    assert call(store, customer) == "charged"
    out = OutOfReach(store, "refund")
    repeated = once.begin(out, customer.claim(), TICKET, now_us=after(3))
    assert repeated.hold is None
    standing = once.finish(out, repeated, now_us=after(4))
    assert (standing.credits_charged, standing.credits_left) == (0, 3)
    account = store.account(customer.account_id, now_us=after(120))
    assert (account.balance, account.held, account.used) == (4, 0, 1)
