"""`AccountAdmin` on every store: accounts, ledger entries and keys."""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, after

from blur.account_status import RateLimit
from blur.accounts import keys
from blur.accounts.admin import AccountAdmin, account_id_of
from blur.accounts.admin_errors import InvalidKeyError, UnknownAccountError
from blur.accounts.model import SECOND_US, EntryKind, KeyKind
from blur.credits import Credits

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

LIMIT = RateLimit(per_minute=30, burst=5)
HOUR_US = 3_600 * SECOND_US


@pytest.fixture
def admin(store: AccountStore) -> AccountAdmin:
    return AccountAdmin(store, token_bytes, START)


def test_a_new_account_has_its_name_and_a_grant(admin: AccountAdmin) -> None:
    account_id = admin.create_account("Käthe & Søn", credits=Credits(25))
    account = admin.store.read_account(account_id, now_us=START)
    assert (account.name, account.created_us, account.balance) == ("Käthe & Søn", START, 25)
    (line,) = admin.store.list_entries(account_id)
    assert (line.kind, line.credits, line.at_us) == (EntryKind.GRANT, 25, START)
    assert line.note == "opening grant"


def test_a_new_account_without_credits_has_an_empty_ledger(admin: AccountAdmin) -> None:
    account_id = admin.create_account("A customer")
    assert list(admin.store.list_entries(account_id)) == []


def test_an_entry_that_is_added_twice_with_the_same_id_is_stored_once(admin: AccountAdmin) -> None:
    account_id = admin.create_account("A customer")
    for _ in range(2):
        line = admin.add_ledger_entry(
            account_id, EntryKind.TOP_UP, Credits(5), "invoice 7", entry_id="invoice-7"
        )
    assert line.entry_id == "invoice-7"
    assert list(admin.store.list_entries(account_id)) == [line]


def test_two_equal_ledger_entries_without_an_id_are_both_added(admin: AccountAdmin) -> None:
    account_id = admin.create_account("A customer")
    lines = [
        admin.add_ledger_entry(account_id, EntryKind.TOP_UP, Credits(5), "again") for _ in range(2)
    ]
    entered = list(admin.store.list_entries(account_id))
    assert sorted(line.entry_id for line in entered) == sorted(line.entry_id for line in lines)
    assert all(line.note == "again" for line in entered)
    assert admin.store.read_account(account_id, now_us=START).balance == 10


def test_random_entry_ids_have_128_bits(store: AccountStore) -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return token_bytes(size)

    admin = AccountAdmin(store, entropy, START)
    account_id = admin.create_account("A customer")
    asked.clear()
    line = admin.add_ledger_entry(account_id, EntryKind.GRANT, Credits(1), "")
    assert asked == [16]
    assert len(line.entry_id) == 32


@pytest.mark.parametrize("kind", KeyKind)
def test_the_store_has_only_the_digest_of_an_issued_key(admin: AccountAdmin, kind: KeyKind) -> None:
    account_id = admin.create_account("A customer", credits=Credits(1))
    text, record = admin.issue_key(account_id, kind, limit=LIMIT, ttl_us=HOUR_US)
    key = keys.parse(text)
    assert (key.kind, key.account_id) == (kind, account_id)
    assert (record.digest, record.prefix, record.kind) == (key.digest, key.prefix, kind)
    assert (record.created_us, record.expires_us) == (START, after(3_600))
    assert not record.revoked
    account = admin.store.read_account(account_id, now_us=START)
    assert account.keys == (record,)
    assert text not in repr(account)
    assert admin.store.authorize(account_id, key.digest, now_us=START).rate.limit == LIMIT


def test_a_key_issued_without_a_lifetime_does_not_expire(admin: AccountAdmin) -> None:
    account_id = admin.create_account("A customer")
    _, record = admin.issue_key(account_id, KeyKind.LIVE, limit=LIMIT)
    assert record.expires_us is None


def test_no_key_is_issued_for_an_unknown_account(admin: AccountAdmin) -> None:
    with pytest.raises(UnknownAccountError):
        admin.issue_key("000000000000", KeyKind.LIVE, limit=LIMIT)


@pytest.mark.parametrize("ttl_us", [None, 24 * HOUR_US])
def test_a_rotation_keeps_the_properties_of_the_key_and_the_old_key_expires_after_the_grace_period(
    admin: AccountAdmin, ttl_us: int | None
) -> None:
    account_id = admin.create_account("A customer")
    _, old = admin.issue_key(account_id, KeyKind.TEST, limit=LIMIT, ttl_us=ttl_us)
    later = AccountAdmin(admin.store, token_bytes, after(60))
    text, new = later.rotate_key(old, grace_us=HOUR_US)
    assert keys.parse(text).digest == new.digest != old.digest
    assert (new.account_id, new.kind, new.limit) == (account_id, KeyKind.TEST, LIMIT)
    assert new.expires_us == old.expires_us
    ends = {
        key.digest: key.expires_us
        for key in later.store.read_account(account_id, now_us=START).keys
    }
    assert ends == {old.digest: after(60 + 3_600), new.digest: new.expires_us}


@pytest.mark.parametrize("why", ["revoked", "expired"])
def test_a_revoked_or_expired_key_cannot_be_rotated(admin: AccountAdmin, why: str) -> None:
    account_id = admin.create_account("A customer")
    _, old = admin.issue_key(account_id, KeyKind.LIVE, limit=LIMIT, ttl_us=HOUR_US)
    if why == "revoked":
        admin.store.revoke_key(account_id, old.digest)
    later = AccountAdmin(admin.store, token_bytes, after(3_600) if why == "expired" else START)
    known = later.find_key(old.prefix)
    with pytest.raises(InvalidKeyError, match=old.prefix):
        later.rotate_key(known, grace_us=HOUR_US)
    assert len(later.store.read_account(account_id, now_us=START).keys) == 1


def test_a_key_is_found_by_its_prefix_and_by_the_whole_key(admin: AccountAdmin) -> None:
    account_id = admin.create_account("A customer")
    text, record = admin.issue_key(account_id, KeyKind.LIVE, limit=LIMIT)
    admin.issue_key(account_id, KeyKind.TEST, limit=LIMIT)
    assert admin.find_key(record.prefix) == admin.find_key(text) == record


def test_looking_for_an_unknown_key_is_an_error(admin: AccountAdmin) -> None:
    account_id = admin.create_account("A customer")
    _, record = admin.issue_key(account_id, KeyKind.LIVE, limit=LIMIT)
    another = keys.mint(KeyKind.LIVE, account_id, token_bytes)
    for name in (another, record.prefix[:-4] + "----", another[:-1]):
        with pytest.raises(UnknownAccountError, match=f"{account_id} has 0 keys that match"):
            admin.find_key(name)


def test_looking_for_a_prefix_that_two_keys_share_is_an_error(admin: AccountAdmin) -> None:
    account_id = admin.create_account("A customer")
    secrets = iter([bytes(31) + b"1", bytes(31) + b"2"])
    same = AccountAdmin(admin.store, lambda _: next(secrets), START)
    shared = {same.issue_key(account_id, KeyKind.LIVE, limit=LIMIT)[1].prefix for _ in range(2)}
    with pytest.raises(UnknownAccountError, match="has 2 keys that match"):
        admin.find_key(shared.pop())


@pytest.mark.parametrize(
    "name",
    [
        "",
        "bb",
        "bb_live_0aZ9bY8cX7dW",
        "xx_live_0aZ9bY8cX7dW_abcd",
        "bb_live_short_abcd",
        "bb_live_0aZ9bY8cX7dW_abcd_",
        "bb_live_0aZ9bY8cX7dWx_abcd",
        "bb-live-0aZ9bY8cX7dW-abcd",
    ],
)
def test_getting_the_account_id_from_a_malformed_prefix_raises_an_error(name: str) -> None:
    with pytest.raises(UnknownAccountError, match="identify the key by its prefix"):
        account_id_of(name)


def test_the_account_id_is_found_in_a_prefix_and_in_a_key() -> None:
    assert account_id_of("bb_live_0aZ9bY8cX7dW_abcd") == "0aZ9bY8cX7dW"
    assert account_id_of(keys.mint(KeyKind.TEST, "0aZ9bY8cX7dW", token_bytes)) == "0aZ9bY8cX7dW"
