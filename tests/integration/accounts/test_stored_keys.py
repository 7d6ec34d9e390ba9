"""The operators' methods for keys and rate limits, on every store."""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import (
    GENEROUS,
    START,
    UNKNOWN_ACCOUNT,
    MakeAccount,
    after,
    key_record,
    take_hold,
)

from blur.account_status import RateLimit
from blur.accounts.admin_errors import (
    InvalidArgumentError,
    InvalidKeyError,
    TooManyKeysError,
    UnknownAccountError,
)
from blur.accounts.keys import new_account_id
from blur.accounts.model import KeyKind, Weight
from blur.errors import InvalidApiKeyError, RateLimitError

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore


@pytest.mark.parametrize("account", ["known", "unknown"])
def test_revoking_an_unknown_key_or_changing_its_expiry_or_rate_limit_is_an_error(
    store: AccountStore, make_account: MakeAccount, account: str
) -> None:
    account_id = make_account().account_id if account == "known" else UNKNOWN_ACCOUNT
    nothing = f"there is no account {account_id}|account {account_id} does not have this key"
    with pytest.raises(UnknownAccountError, match=nothing):
        store.revoke_key(account_id, "0" * 64)
    with pytest.raises(UnknownAccountError, match=nothing):
        store.expire_key(account_id, "0" * 64, at_us=START)
    with pytest.raises(UnknownAccountError, match=nothing):
        store.set_rate_limit(account_id, "0" * 64, RateLimit(1, 1))


@pytest.mark.parametrize(
    "limit", [RateLimit(0, 1), RateLimit(1, 0), RateLimit(10**40, 1), RateLimit(1, 2 * 10**11)]
)
def test_a_rate_limit_out_of_bounds_is_rejected(
    store: AccountStore, make_account: MakeAccount, limit: RateLimit
) -> None:
    customer = make_account()
    with pytest.raises(InvalidArgumentError, match="must be a number from 1 to"):
        store.add_key(key_record(customer.account_id, limit=limit), now_us=START)
    with pytest.raises(InvalidArgumentError, match="must be a number from 1 to"):
        store.set_rate_limit(customer.account_id, customer.digest, limit)


@pytest.mark.parametrize("limit", [RateLimit(1, 10_000_000), RateLimit(60_000_000, 10_000_000)])
def test_a_key_with_the_largest_rate_limit_counts_its_requests_exactly(
    store: AccountStore, make_account: MakeAccount, limit: RateLimit
) -> None:
    customer = make_account(credits=2, limit=limit)
    for remaining in (9_999_999, 9_999_998):
        status = store.reserve(customer.hold(), now_us=START)
        assert status.rate.remaining == remaining


def test_an_account_has_at_most_two_valid_keys_of_a_kind(
    store: AccountStore, make_account: MakeAccount
) -> None:
    account_id = make_account().account_id
    second, third = key_record(account_id), key_record(account_id)
    store.add_key(second, now_us=START)
    with pytest.raises(TooManyKeysError, match=f"{account_id} has 2 valid live keys; revoke"):
        store.add_key(third, now_us=START)
    for _ in range(2):
        store.add_key(key_record(account_id, KeyKind.TEST), now_us=START)
    with pytest.raises(TooManyKeysError):
        store.add_key(key_record(account_id, KeyKind.TEST), now_us=START)
    assert len(store.read_account(account_id, now_us=START).keys) == 4


def test_a_new_key_can_replace_a_revoked_or_expired_key(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(expires_us=after(10))
    second = key_record(customer.account_id)
    store.add_key(second, now_us=START)
    with pytest.raises(TooManyKeysError):
        store.add_key(key_record(customer.account_id), now_us=after(9))
    store.add_key(key_record(customer.account_id), now_us=after(10))
    store.revoke_key(customer.account_id, second.digest)
    store.add_key(key_record(customer.account_id), now_us=after(10))
    with pytest.raises(TooManyKeysError):
        store.add_key(key_record(customer.account_id), now_us=after(10))


def test_a_key_that_is_added_again_is_stored_once(
    store: AccountStore, make_account: MakeAccount
) -> None:
    account_id = make_account().account_id
    key = key_record(account_id)
    for _ in range(2):
        store.add_key(key, now_us=START)
    keys = store.read_account(account_id, now_us=START).keys
    assert [known.digest for known in keys].count(key.digest) == 1


def test_an_account_is_read_with_its_keys_exactly_as_they_were_added(store: AccountStore) -> None:
    account_id = new_account_id(token_bytes)
    store.create_account(account_id, "A customer", now_us=START)
    keys = (
        key_record(account_id, limit=RateLimit(7, 3), expires_us=after(99)),
        key_record(account_id, KeyKind.TEST, created_us=after(1)),
    )
    for key in keys:
        store.add_key(key, now_us=START)
    assert store.read_account(account_id, now_us=START).keys == keys


def test_an_old_key_is_valid_until_the_end_of_its_grace_period(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account()
    store.expire_key(customer.account_id, customer.digest, at_us=after(3_600))
    store.authorize(customer.account_id, customer.digest, now_us=after(3_599))
    with pytest.raises(InvalidApiKeyError):
        store.authorize(customer.account_id, customer.digest, now_us=after(3_600))


def test_a_grace_period_never_extends_a_keys_lifetime(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(expires_us=after(10))
    store.expire_key(customer.account_id, customer.digest, at_us=after(20))
    assert store.read_account(customer.account_id, now_us=START).keys[0].expires_us == after(10)
    store.expire_key(customer.account_id, customer.digest, at_us=after(5))
    assert store.read_account(customer.account_id, now_us=START).keys[0].expires_us == after(5)


def test_a_revoked_key_becomes_invalid_immediately_and_permanently(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account()
    for _ in range(2):
        store.revoke_key(customer.account_id, customer.digest)
    store.expire_key(customer.account_id, customer.digest, at_us=after(10_000))
    with pytest.raises(InvalidApiKeyError):
        store.authorize(customer.account_id, customer.digest, now_us=START)
    assert store.read_account(customer.account_id, now_us=START).keys[0].revoked


def test_a_key_with_a_new_rate_limit_can_send_its_whole_burst(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(limit=RateLimit(per_minute=1, burst=1))
    store.authorize(customer.account_id, customer.digest, now_us=START)
    with pytest.raises(RateLimitError):
        store.authorize(customer.account_id, customer.digest, now_us=START)
    limit = RateLimit(per_minute=120, burst=3)
    store.set_rate_limit(customer.account_id, customer.digest, limit)
    for remaining in (2, 1, 0):
        rate = store.authorize(customer.account_id, customer.digest, now_us=START).rate
        assert (rate.limit, rate.remaining) == (limit, remaining)
    with pytest.raises(RateLimitError):
        store.authorize(customer.account_id, customer.digest, now_us=START)
    store.authorize(customer.account_id, customer.digest, now_us=after(0.5))


def test_the_rate_limit_can_be_changed_only_for_a_valid_key(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account()
    revoked = key_record(customer.account_id)
    store.add_key(revoked, now_us=START)
    store.revoke_key(customer.account_id, revoked.digest)
    limit = RateLimit(per_minute=120, burst=3)
    store.set_rate_limit(customer.account_id, customer.digest, limit)
    with pytest.raises(InvalidKeyError):
        store.set_rate_limit(customer.account_id, revoked.digest, limit)


def test_a_revoked_or_expired_key_stays_in_the_list_and_cannot_be_used_again(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=100)
    account_id = customer.account_id
    revoked, expired = key_record(account_id), key_record(account_id, expires_us=after(10))
    store.add_key(expired, now_us=START)
    store.authorize(account_id, customer.digest, now_us=after(60))
    store.add_key(revoked, now_us=after(60))
    store.revoke_key(account_id, revoked.digest)
    for _ in range(3):
        store.authorize(account_id, customer.digest, now_us=after(120))
    store.add_key(revoked, now_us=after(120))
    store.revoke_key(account_id, revoked.digest)
    store.expire_key(account_id, revoked.digest, at_us=after(10_000))
    with pytest.raises(InvalidKeyError):
        store.set_rate_limit(account_id, revoked.digest, RateLimit(1, 1))
    for key in (revoked, expired):
        with pytest.raises(InvalidApiKeyError):
            store.authorize(account_id, key.digest, now_us=after(121))
    listed = {key.digest: key for key in store.read_account(account_id, now_us=after(120)).keys}
    assert len(listed) == 3
    assert listed[revoked.digest].revoked
    assert listed[expired.digest] == expired
    assert store.read_with_ledger(account_id, now_us=after(120)).account.keys == tuple(
        store.read_account(account_id, now_us=after(120)).keys
    )


@pytest.mark.parametrize("end", ["settle", "refund"])
def test_a_call_is_charged_or_refunded_once_after_its_key_was_revoked(
    store: AccountStore, make_account: MakeAccount, end: str
) -> None:
    customer = make_account(credits=10)
    other = key_record(customer.account_id)
    store.add_key(other, now_us=START)
    hold = take_hold(store, customer, 3, now_us=START)
    store.revoke_key(customer.account_id, customer.digest)
    store.authorize(customer.account_id, other.digest, now_us=after(1))
    weight = Weight(2, GENEROUS)
    charged, left = (3, 7) if end == "settle" else (0, 10)
    for _ in range(2):
        status = getattr(store, end)(hold, now_us=after(2), weight=weight)
        assert (status.credits_charged, status.credits_left) == (charged, left)
    account = store.read_account(customer.account_id, now_us=after(2))
    assert (account.balance, account.held, account.used) == (left, 0, charged)
