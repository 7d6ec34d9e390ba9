"""Calls with an idempotency key while the store cannot be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, KeyedForm, MakeAccount, after, begin
from tests.integration.accounts.idempotent_calls import FORM, KEY, Unreachable, call

from blur.accounts import idempotency
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore


def test_a_call_whose_record_cannot_be_written_is_rejected_and_refunded_immediately(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1)
    out = Unreachable(store, "claim_record")
    with pytest.raises(UnavailableError):
        begin(out, customer.hold(), FORM, now_us=START)
    account = store.read_account(customer.account_id, now_us=START)
    assert (account.balance, account.held, account.used) == (1, 0, 0)


def test_a_call_whose_record_and_refund_cannot_be_written_is_rejected_and_its_hold_expires(
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
    started = begin(store, customer.hold(2), form, now_us=START)
    status = idempotency.commit(Unreachable(store, "settle"), started, now_us=after(1))
    assert (status.credits_charged, status.credits_left) == (None, 3)


def test_a_call_with_price_zero_is_reported_as_free_even_if_the_response_is_lost(
    store: AccountStore, make_account: MakeAccount
) -> None:
    started = begin(store, make_account().hold(0), None, now_us=START)
    status = idempotency.commit(Unreachable(store, "settle"), started, now_us=after(1))
    assert status.credits_charged == 0


def test_a_call_whose_record_cannot_be_marked_done_is_not_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    started = begin(store, customer.hold(2), FORM, now_us=START)
    status = idempotency.commit(Unreachable(store, "complete_record"), started, now_us=after(1))
    assert (status.credits_charged, status.credits_left) == (0, 3)
    account = store.read_account(customer.account_id, now_us=after(120))
    assert (account.balance, account.held, account.used) == (5, 0, 0)


def test_a_copy_of_a_call_whose_hold_cannot_be_refunded_is_free_after_the_hold_expires(
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
