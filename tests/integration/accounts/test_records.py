"""Idempotency records on every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, MakeAccount, after, new_id

from blur.accounts.model import IdempotencyRecord
from blur.skew import CLOCK_SKEW_S

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

LEASE_S = 120
DAY_S = 86_400
ENDED_S = LEASE_S + CLOCK_SKEW_S
FORGOTTEN_S = DAY_S + CLOCK_SKEW_S


@pytest.fixture
def first(make_account: MakeAccount) -> IdempotencyRecord:
    return IdempotencyRecord(
        account_id=make_account().account_id,
        scope="5" * 64,
        fingerprint="f" * 64,
        hold_id=new_id("hold"),
        done=False,
        lease_until_us=after(LEASE_S),
        forget_us=after(DAY_S),
    )


def later(first: IdempotencyRecord, seconds: float) -> IdempotencyRecord:
    """Return the idempotency record of another call, this many seconds after START."""
    return replace(
        first,
        hold_id=new_id("hold"),
        fingerprint="e" * 64,
        lease_until_us=after(seconds + LEASE_S),
        forget_us=after(seconds + DAY_S),
    )


def find(store: AccountStore, record: IdempotencyRecord, seconds: float) -> object:
    return store.find_record(record.account_id, record.scope, now_us=after(seconds))


def test_the_first_call_claims_the_record_and_the_next_call_gets_this_record(
    store: AccountStore, first: IdempotencyRecord
) -> None:
    assert find(store, first, 0) is None
    assert store.claim_record(first, now_us=START) is None
    assert store.claim_record(later(first, 1), now_us=after(1)) == first
    assert find(store, first, 1) == first


def test_a_call_can_claim_its_own_record_again(
    store: AccountStore, first: IdempotencyRecord
) -> None:
    for _ in range(3):
        assert store.claim_record(first, now_us=START) is None


def test_another_call_can_claim_an_unfinished_record_after_its_lease_has_ended(
    store: AccountStore, first: IdempotencyRecord
) -> None:
    store.claim_record(first, now_us=START)
    next_record = later(first, ENDED_S)
    assert store.claim_record(next_record, now_us=after(ENDED_S - 0.000001)) == first
    assert store.claim_record(next_record, now_us=after(ENDED_S)) is None
    assert find(store, first, ENDED_S) == next_record


def test_a_record_that_is_not_completed_is_found_until_its_lease_ends(
    store: AccountStore, first: IdempotencyRecord
) -> None:
    store.claim_record(first, now_us=START)
    assert find(store, first, ENDED_S - 0.000001) == first
    assert find(store, first, ENDED_S) is None


def test_a_completed_record_is_found_until_it_expires(
    store: AccountStore, first: IdempotencyRecord
) -> None:
    store.claim_record(first, now_us=START)
    for _ in range(2):
        assert store.complete_record(first)
    done = replace(first, done=True)
    almost_s = FORGOTTEN_S - 0.000001
    assert find(store, first, almost_s) == done
    assert store.claim_record(later(first, almost_s), now_us=after(almost_s)) == done
    assert find(store, first, FORGOTTEN_S) is None
    next_record = later(first, FORGOTTEN_S)
    assert store.claim_record(next_record, now_us=after(FORGOTTEN_S)) is None
    assert find(store, first, FORGOTTEN_S) == next_record


def test_a_released_record_can_be_claimed_again(
    store: AccountStore, first: IdempotencyRecord
) -> None:
    store.claim_record(first, now_us=START)
    for _ in range(2):
        store.release_record(first)
    assert find(store, first, 1) is None
    assert store.claim_record(later(first, 1), now_us=after(1)) is None


def test_a_completed_record_is_not_released(store: AccountStore, first: IdempotencyRecord) -> None:
    store.claim_record(first, now_us=START)
    store.complete_record(first)
    store.release_record(first)
    assert find(store, first, 1) == replace(first, done=True)


def test_a_call_cannot_complete_or_release_its_record_after_another_call_has_taken_it_over(
    store: AccountStore, first: IdempotencyRecord
) -> None:
    store.claim_record(first, now_us=START)
    next_record = later(first, ENDED_S)
    store.claim_record(next_record, now_us=after(ENDED_S))
    assert not store.complete_record(first)
    store.release_record(first)
    assert find(store, first, ENDED_S) == next_record


def test_completing_or_releasing_an_unclaimed_record_does_nothing(
    store: AccountStore, first: IdempotencyRecord
) -> None:
    assert not store.complete_record(first)
    store.release_record(first)
    assert find(store, first, 0) is None


def test_a_record_of_another_scope_or_account_can_be_claimed_at_the_same_time(
    store: AccountStore, first: IdempotencyRecord, make_account: MakeAccount
) -> None:
    store.claim_record(first, now_us=START)
    other_scope = replace(first, scope="6" * 64, hold_id=new_id("hold"))
    other_account = replace(first, account_id=make_account().account_id, hold_id=new_id("hold"))
    assert store.claim_record(other_scope, now_us=START) is None
    assert store.claim_record(other_account, now_us=START) is None
    assert find(store, first, 0) == first


@pytest.mark.parametrize("before", ["nothing", "a lease that ended"])
def test_exactly_one_of_fifty_concurrent_calls_claims_the_record(
    store: AccountStore, first: IdempotencyRecord, before: str
) -> None:
    if before == "a lease that ended":
        store.claim_record(first, now_us=START)
    rivals = [later(first, ENDED_S) for _ in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda rival: store.claim_record(rival, now_us=after(ENDED_S)), rivals)
        )
    owners = [rival for rival, answer in zip(rivals, answers, strict=True) if answer is None]
    assert len(owners) == 1
    assert {answer for answer in answers if answer is not None} == set(owners)
    assert find(store, first, ENDED_S) == owners[0]
