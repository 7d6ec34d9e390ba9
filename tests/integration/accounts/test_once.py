"""One charge for one call, whatever is repeated and however many repeat it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, Customer, MakeAccount, after

from blur.accounts import once
from blur.accounts.audit import differences
from blur.errors import IdempotencyInProgressError, InsufficientCreditsError

if TYPE_CHECKING:
    from blur.accounts.store import AccountStore

TICKET = once.Ticket("order-1", "fingerprint")


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
