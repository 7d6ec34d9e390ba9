"""Another process rolls back a call whose process has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, MakeAccount, after, begin
from tests.integration.accounts.idempotent_calls import FORM, KEY, call

from blur.accounts import idempotency
from blur.accounts.lost_calls import StartedCall, refund_lost_call

if TYPE_CHECKING:
    from blur.accounts.idempotency_key import IdempotencyKey
    from blur.accounts.ports import AccountStore


@pytest.mark.parametrize("key", [KEY, None])
def test_a_lost_call_is_rolled_back_unless_it_was_charged(
    store: AccountStore, make_account: MakeAccount, key: IdempotencyKey | None
) -> None:
    customer = make_account(credits=1)
    form = FORM if key else None
    lost = customer.hold()
    refund_lost_call(
        store, StartedCall(lost, key), now_us=START
    )  # the call has not reserved its hold
    started = begin(store, lost, form, now_us=START)
    for seconds in (1, 2):
        refund_lost_call(store, StartedCall(lost, key), now_us=after(seconds))
    account = store.read_account(customer.account_id, now_us=after(2))
    assert (account.balance, account.held, account.used) == (1, 0, 0)
    again = customer.hold(now_us=after(3))
    started = begin(store, again, form, now_us=after(3))
    assert idempotency.commit(store, started, now_us=after(4)).credits_charged == 1
    refund_lost_call(store, StartedCall(again, key), now_us=after(5))
    account = store.read_account(customer.account_id, now_us=after(5))
    assert (account.balance, account.held, account.used) == (0, 0, 1)
    if key:
        assert call(store, customer) == "replayed"


def test_the_refund_of_a_lost_call_leaves_the_record_of_another_call(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2)
    begin(store, customer.hold(), FORM, now_us=START)
    refund_lost_call(store, StartedCall(customer.hold(now_us=after(1)), KEY), now_us=after(1))
    assert call(store, customer) == "in progress"
