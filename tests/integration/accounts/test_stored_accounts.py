"""The operators' methods for accounts and ledger entries, on every store."""

from __future__ import annotations

from dataclasses import replace
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import (
    START,
    UNKNOWN_ACCOUNT,
    MakeAccount,
    after,
    entry,
    key_record,
)

from blur.account_bounds import MAX_CREDITS
from blur.accounts.admin_errors import (
    AccountExistsError,
    EntryDiffersError,
    InvalidArgumentError,
    OverdrawnError,
    UnknownAccountError,
)
from blur.accounts.audit import differences
from blur.accounts.keys import new_account_id
from blur.accounts.model import Account, EntryKind, Instant
from blur.credits import ZERO, Credits

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore


def test_a_new_account_has_no_credits_no_keys_and_no_ledger_entries(store: AccountStore) -> None:
    account_id = new_account_id(token_bytes)
    store.create_account(account_id, "Käthe & Søn", now_us=START)
    account = store.read_account(account_id, now_us=START)
    assert account == Account(account_id, "Käthe & Søn", START, ZERO, ZERO, ZERO, ZERO)
    assert list(store.list_entries(account_id)) == []


def test_a_second_account_with_the_same_id_is_rejected(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5)
    with pytest.raises(AccountExistsError, match=f"{customer.account_id} already exists"):
        store.create_account(customer.account_id, "Another", now_us=START)
    account = store.read_account(customer.account_id, now_us=START)
    assert (account.name, account.balance) == ("A customer", 5)


def test_an_unknown_account_is_rejected_and_not_listed(store: AccountStore) -> None:
    with pytest.raises(UnknownAccountError, match=f"no account {UNKNOWN_ACCOUNT}"):
        store.read_account(UNKNOWN_ACCOUNT, now_us=START)
    with pytest.raises(UnknownAccountError, match=f"no account {UNKNOWN_ACCOUNT}"):
        store.append_entry(entry(UNKNOWN_ACCOUNT, 5))
    with pytest.raises(UnknownAccountError, match=f"no account {UNKNOWN_ACCOUNT}"):
        store.add_key(key_record(UNKNOWN_ACCOUNT), now_us=START)
    assert UNKNOWN_ACCOUNT not in [
        account.account_id for account in store.list_accounts(now_us=START)
    ]
    assert list(store.list_entries(UNKNOWN_ACCOUNT)) == []


def test_entries_change_the_balance_and_are_listed_in_order(
    store: AccountStore, make_account: MakeAccount
) -> None:
    account_id = make_account(credits=0).account_id
    written = [
        entry(account_id, 100, EntryKind.GRANT, at_us=after(0), note="hello"),
        entry(account_id, 50, EntryKind.TOP_UP, at_us=after(1), note="Zürich №5"),
        entry(account_id, -30, EntryKind.ADJUSTMENT, at_us=after(2)),
    ]
    for line in (written[1], written[2], written[0]):
        store.append_entry(line)
    assert list(store.list_entries(account_id)) == written
    account = store.read_account(account_id, now_us=after(3))
    assert (account.balance, account.granted) == (120, 120)
    assert list(differences(account, written)) == []


def test_a_repeated_entry_is_added_once(store: AccountStore, make_account: MakeAccount) -> None:
    account_id = make_account(credits=10).account_id
    for line in (entry(account_id, 5), entry(account_id, -12, EntryKind.ADJUSTMENT)):
        for _ in range(3):
            store.append_entry(line)
    account = store.read_account(account_id, now_us=START)
    assert (account.balance, account.granted) == (3, 3)
    assert len(list(store.list_entries(account_id))) == 3


def test_a_repeated_entry_needs_the_same_credits_but_not_the_same_note(
    store: AccountStore, make_account: MakeAccount
) -> None:
    account_id = make_account(credits=0).account_id
    line = entry(account_id, 5, note="first")
    store.append_entry(line)
    store.append_entry(replace(line, note="second"))
    with pytest.raises(EntryDiffersError, match=r"top_up of 1\.25 credits"):
        store.append_entry(replace(line, credits=Credits(500)))
    assert list(store.list_entries(account_id)) == [line]
    assert store.read_account(account_id, now_us=START).balance == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"entry_id": ""},
        {"entry_id": " "},
        {"entry_id": 129 * "e"},
        {"note": 501 * "n"},
        {"note": "two\nlines"},
        {"note": "\udcff"},
        {"credits": MAX_CREDITS + 1},
        {"credits": -MAX_CREDITS - 1},
        {"account_id": 3_000 * "a"},
    ],
)
def test_an_entry_with_an_invalid_field_is_rejected_and_not_added(
    store: AccountStore, make_account: MakeAccount, wrong: dict[str, Any]
) -> None:
    account_id = make_account(credits=10).account_id
    line = replace(entry(account_id, 5), **wrong)
    with pytest.raises(InvalidArgumentError):
        store.append_entry(line)
    assert store.read_account(account_id, now_us=START).granted == 10


def test_invalid_account_ids_account_names_and_key_lifetimes_are_rejected(
    store: AccountStore,
) -> None:
    for account_id, name in (("", "shop"), (65 * "a", "shop"), ("a" * 12, 101 * "n")):
        with pytest.raises(InvalidArgumentError):
            store.create_account(account_id, name, now_us=START)
    account_id = new_account_id(token_bytes)
    store.create_account(account_id, 100 * "é", now_us=START)
    with pytest.raises(InvalidArgumentError, match="lifetime"):
        store.add_key(key_record(account_id, expires_us=Instant(10**18)), now_us=START)


def test_an_adjustment_can_make_the_balance_zero_but_not_negative(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    store.reserve(customer.hold(4), now_us=START)
    with pytest.raises(OverdrawnError, match=r"of -1\.75 credits .*: the balance is 1\.5"):
        store.append_entry(entry(customer.account_id, -7, EntryKind.ADJUSTMENT))
    store.append_entry(entry(customer.account_id, -6, EntryKind.ADJUSTMENT))
    account = store.read_account(customer.account_id, now_us=START)
    assert (account.balance, account.held, account.granted) == (0, 4, 4)
    assert -7 not in [line.credits for line in store.list_entries(customer.account_id)]


def test_every_account_is_listed_once_sorted_by_id_with_expired_holds_released(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customers = [make_account(credits=number) for number in range(1, 6)]
    for customer in customers:
        store.reserve(customer.hold(1), now_us=START)
    listed = list(store.list_accounts(now_us=after(120)))
    ids = [account.account_id for account in listed]
    assert ids == sorted(set(ids))
    ours = {account.account_id: account for account in listed}
    for number, customer in enumerate(customers, 1):
        account = ours[customer.account_id]
        assert (account.balance, account.held) == (number, 0)
        assert account == store.read_account(customer.account_id, now_us=after(120))
