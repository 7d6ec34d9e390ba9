"""Reserving credits for the objects of a job succeeds or is rejected, in each store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, after, entry
from tests.integration.jobs.job_owner import PRICE, JobOwner, open_job, process, require_exact

from blur.account_status import RateLimit
from blur.errors import InsufficientCreditsError, InvalidApiKeyError, RateLimitError
from blur.jobs.model import JobCounts

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore


def test_an_objects_hold_is_refunded_if_its_job_is_unknown(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    unknown = replace(owner, job_id="job_unknown")
    assert not process(jobs, unknown, "a.jpg")
    assert require_exact(store, jobs, owner, START).balance == 100


def test_photos_of_jobs_do_not_count_towards_the_rate_limit(
    store: AccountStore, jobs: JobStore
) -> None:
    owner = open_job(store, jobs, limit=RateLimit(per_minute=1, burst=1))
    for number in range(10):
        assert process(jobs, owner, f"{number}.jpg")
    customer = owner.customer
    store.authorize(customer.account_id, customer.digest, now_us=START)
    with pytest.raises(RateLimitError):
        store.authorize(customer.account_id, customer.digest, now_us=START)
    assert process(jobs, owner, "last.jpg")


def test_reserving_an_object_with_a_revoked_key_is_rejected(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    customer = owner.customer
    hold = owner.hold("1.jpg")
    jobs.reserve_object(hold, now_us=START)
    store.revoke_key(customer.account_id, customer.digest)
    for source in ("1.jpg", "2.jpg"):
        with pytest.raises(InvalidApiKeyError):
            jobs.reserve_object(owner.hold(source), now_us=START)
    assert store.read_account(customer.account_id, now_us=START).held == PRICE


def test_reserving_an_object_with_an_expired_or_unknown_key_is_rejected(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    customer = owner.customer
    with pytest.raises(InvalidApiKeyError):
        jobs.reserve_object(replace(owner.hold("1.jpg"), key_digest="0" * 64), now_us=START)
    with pytest.raises(InvalidApiKeyError):
        jobs.reserve_object(replace(owner.hold("1.jpg"), account_id="nobody000000"), now_us=START)
    store.expire_key(customer.account_id, customer.digest, at_us=after(1))
    with pytest.raises(InvalidApiKeyError):
        jobs.reserve_object(owner.hold("1.jpg"), now_us=after(1))
    assert store.read_account(customer.account_id, now_us=START).balance == 100


def test_an_object_is_rejected_while_the_balance_is_below_the_price(
    store: AccountStore, jobs: JobStore
) -> None:
    owner = open_job(store, jobs, 2 * PRICE - 1)
    assert process(jobs, owner, "1.jpg")
    with pytest.raises(InsufficientCreditsError) as refusal:
        jobs.reserve_object(owner.hold("2.jpg"), now_us=START)
    status = refusal.value.account_status
    assert status is not None
    assert status.credits_left == PRICE - 1
    store.append_entry(entry(owner.customer.account_id, 1))
    assert process(jobs, owner, "2.jpg")
    assert require_exact(store, jobs, owner, START).balance == 0


def test_an_expired_hold_is_released_before_an_object_is_rejected_for_insufficient_credits(
    store: AccountStore, jobs: JobStore
) -> None:
    owner = open_job(store, jobs, PRICE)
    jobs.reserve_object(owner.hold("lost.jpg"), now_us=START)
    with pytest.raises(InsufficientCreditsError):
        jobs.reserve_object(owner.hold("1.jpg", now_us=after(30)), now_us=after(30))
    assert process(jobs, owner, "1.jpg", now_us=after(120))


@pytest.mark.parametrize("first_s", [0, 30], ids=["later", "earlier"])
def test_a_repeated_reservation_extends_the_hold_to_the_latest_expiry(
    store: AccountStore, jobs: JobStore, owner: JobOwner, first_s: int
) -> None:
    account_id = owner.customer.account_id
    for seconds in (first_s, 30 - first_s):
        hold = owner.hold("1.jpg", now_us=after(seconds))
        jobs.reserve_object(hold, now_us=after(30))
    account = store.read_account(account_id, now_us=after(89))
    assert (account.balance, account.held) == (100 - PRICE, PRICE)
    assert jobs.end_object(owner.row("1.jpg"), owner.hold("1.jpg"), now_us=after(89))
    account = require_exact(store, jobs, owner, after(89))
    assert (account.balance, account.held) == (100 - PRICE, 0)


def test_a_repeated_reservation_with_the_same_expiry_does_not_extend_the_hold(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    for _ in range(2):
        jobs.reserve_object(owner.hold("1.jpg"), now_us=START)
    account = store.read_account(owner.customer.account_id, now_us=after(66))
    assert (account.balance, account.held) == (100, 0)


def test_a_free_object_needs_no_credits(store: AccountStore, jobs: JobStore) -> None:
    owner = open_job(store, jobs, 0)
    hold = owner.hold("1.jpg", 0)
    jobs.reserve_object(hold, now_us=START)
    assert jobs.end_object(owner.row("1.jpg"), hold, now_us=START)
    assert jobs.find_job(owner.job_id).counts == JobCounts(received=1, done=1)
    require_exact(store, jobs, owner, START)


def test_a_photo_that_is_delivered_again_after_its_job_ended_is_never_charged(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    hold = owner.hold("late.jpg")
    jobs.reserve_object(hold, now_us=START)
    jobs.cancel_job(owner.job_id, now_us=START)
    assert jobs.end_job(owner.job_id, received=0, now_us=START)
    for now_us in (START, START, after(60)):
        again = owner.hold("late.jpg", now_us=now_us)
        jobs.reserve_object(again, now_us=now_us)
        assert not jobs.end_object(owner.row("late.jpg"), again, now_us=now_us)
        assert require_exact(store, jobs, owner, now_us).balance == 100
