"""What operators do to accounts, keys and the ledger."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from blur.accounts.checks import check_account, check_entry, check_key, check_limit
from blur.accounts.dynamo import ended_keys, holds, schema
from blur.accounts.dynamo.items import (
    account_of,
    bump_version,
    entry_item,
    entry_of,
    key_item,
    limit_item,
    new_account,
    set_version,
    version_of,
)
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions, Item
from blur.accounts.model import AccountWithLedger
from blur.accounts.ports import (
    AccountExistsError,
    InvalidKeyError,
    OverdrawnError,
    TooManyKeysError,
    UnknownAccountError,
    require_same,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from blur.account_status import RateLimit
    from blur.accounts.model import Account, Instant, KeyRecord, LedgerEntry

VERSION_STEP = 1000


def create_account(table: DynamoTable, account_id: str, name: str, now_us: Instant) -> None:
    """See `AccountStore.create_account`."""
    check_account(account_id, name)
    try:
        table.put_once(new_account(account_id, name, now_us), _absent())
    except ConditionFailedError:
        message = f"account {account_id} exists already"
        raise AccountExistsError(message) from None


def append_entry(table: DynamoTable, entry: LedgerEntry) -> None:
    """See `AccountStore.append_entry`. The entry and its credits are written together.

    The entry gives the account a higher version than any before: its instant, or where another
    entry has passed that, one that is a little higher.
    """
    check_entry(entry)
    key, version = schema.account_key(entry.account_id), int(entry.at_us)
    while True:
        try:
            item = entry_item(entry, version)
            return table.put_and_update(item, _absent(), key, _moved(entry.credits, version))
        except ConditionFailedError as failed:
            appended, found = failed.items
        if appended is not None:
            return require_same(entry_of(appended, entry.account_id), entry)
        account = holds.known(found, entry.account_id)
        if account["balance"] + min(0, entry.credits) < 0:
            message = f"{entry.credits} credits are more than the balance, {account['balance']}"
            raise OverdrawnError(message)
        # A random step, so that entries that arrive together do not all choose the same version.
        version = version_of(account) + 1 + secrets.randbelow(VERSION_STEP)


def add_key(table: DynamoTable, key: KeyRecord, now_us: Instant, most: int) -> None:
    """See `AccountStore.add_key`. The account's version shows if its keys have changed."""
    check_key(key)
    while True:
        item = account_item(table, key.account_id, now_us)
        if key.digest in item["keys"] or ended_keys.exists(table, key.account_id, key.digest):
            return
        kin = [known for known in account_of(item).keys if known.kind is key.kind]
        valid = [known for known in kin if known.is_valid(now_us)]
        if len(valid) >= most:
            message = (
                f"account {key.account_id} has {len(valid)} valid {key.kind} keys; revoke one first"
            )
            raise TooManyKeysError(message)
        update = Expressions()
        bump_version(update, item)
        update.sets.append(f"{update.path('keys', key.digest)} = {update.value(key_item(key))}")
        if _updated(table, key.account_id, update):
            return


def expire_key(table: DynamoTable, account_id: str, key_digest: str, at_us: Instant) -> None:
    """See `AccountStore.expire_key`."""
    update = Expressions()
    expiry, at = update.path("keys", key_digest, "x"), update.value(at_us)
    update.conditions.append(f"{expiry} > {at}")
    update.sets.append(f"{expiry} = {at}")
    if not _updated(table, account_id, update):
        item = holds.known(table.get(schema.account_key(account_id)), account_id)
        if key_digest not in item["keys"]:
            _require_ended(table, account_id, key_digest)


def revoke_key(table: DynamoTable, account_id: str, key_digest: str) -> None:
    """See `AccountStore.revoke_key`. The key leaves the account's item with a later write."""
    if not _change_key(table, account_id, key_digest, {"r": True}):
        item = holds.known(table.get(schema.account_key(account_id)), account_id)
        if key_digest not in item["keys"]:
            _require_ended(table, account_id, key_digest)


def set_rate_limit(table: DynamoTable, account_id: str, key_digest: str, limit: RateLimit) -> None:
    """See `AccountStore.set_rate_limit`. The key starts with rested buckets."""
    check_limit(limit)
    if not _change_key(table, account_id, key_digest, limit_item(limit)):
        item = table.get(schema.account_key(account_id)) or {"keys": {}}
        if key_digest not in item["keys"]:
            _require_ended(table, account_id, key_digest)
        message = "the key is revoked or has expired; issue a new key instead"
        raise InvalidKeyError(message)


def read_account(table: DynamoTable, account_id: str, now_us: Instant) -> Account:
    """See `AccountStore.read_account`."""
    return ended_keys.with_ended_keys(table, account_item(table, account_id, now_us))


def list_accounts(table: DynamoTable, now_us: Instant) -> Iterator[Account]:
    """See `AccountStore.list_accounts`."""
    condition = Expressions()
    sort = condition.path(schema.SORT_KEY)
    condition.conditions.append(f"{sort} = {condition.value(schema.ACCOUNT)}")
    ids = sorted(account_of(item).account_id for item in table.scan(condition))
    for account_id in ids:
        yield read_account(table.anew(), account_id, now_us)


def list_entries(table: DynamoTable, account_id: str) -> Iterator[LedgerEntry]:
    """See `AccountStore.list_entries`."""
    yield from _ordered(_entry_items(table, account_id), account_id)


def read_with_ledger(table: DynamoTable, account_id: str, now_us: Instant) -> AccountWithLedger:
    """See `AccountStore.read_with_ledger`.

    A query is not one moment, and no transaction reads a ledger of any length. An entry carries
    the version that it gave the account, so the entries that the account's item includes are
    those up to the item's version.
    """
    read = account_item(table, account_id, now_us)
    included = [
        item for item in _entry_items(table, account_id) if version_of(item) <= version_of(read)
    ]
    return AccountWithLedger(
        ended_keys.with_ended_keys(table, read), _ordered(included, account_id)
    )


def account_item(table: DynamoTable, account_id: str, now_us: Instant) -> Item:
    """Read the account's item with its expired holds released.

    Raises:
        UnknownAccountError: there is none.

    """
    check_account(account_id)
    item = holds.known(table.get(schema.account_key(account_id)), account_id)
    return holds.tidy(table, account_id, item, now_us)


def _entry_items(table: DynamoTable, account_id: str) -> Iterator[Item]:
    condition = Expressions()
    partition = condition.path(schema.PARTITION_KEY)
    sort = condition.path(schema.SORT_KEY)
    condition.conditions += [
        f"{partition} = {condition.value(schema.partition(account_id))}",
        f"begins_with({sort}, {condition.value(schema.ENTRY)})",
    ]
    return table.query(condition)


def _ordered(items: Iterable[Item], account_id: str) -> tuple[LedgerEntry, ...]:
    ledger = [entry_of(item, account_id) for item in items]
    return tuple(sorted(ledger, key=lambda entry: (entry.at_us, entry.entry_id)))


def _absent() -> Expressions:
    condition = Expressions()
    condition.conditions.append(f"attribute_not_exists({condition.path(schema.PARTITION_KEY)})")
    return condition


def _moved(credits: int, version: int) -> Expressions:  # noqa: A002 - the ledger's word
    update = Expressions()
    balance, granted = update.path("balance"), update.path("granted")
    moved = update.value(credits)
    update.conditions.append(f"{balance} >= {update.value(max(0, -credits))}")
    update.sets += [f"{balance} = {balance} + {moved}", f"{granted} = {granted} + {moved}"]
    set_version(update, version)
    return update


def _change_key(table: DynamoTable, account_id: str, key_digest: str, changes: Item) -> bool:
    """Change a key that is not revoked; return whether there is one."""
    update = Expressions()
    update.conditions += [
        f"attribute_exists({update.path('keys', key_digest)})",
        f"attribute_not_exists({update.path('keys', key_digest, 'r')})",
    ]
    for name, value in changes.items():
        update.sets.append(f"{update.path('keys', key_digest, name)} = {update.value(value)}")
    return _updated(table, account_id, update)


def _updated(table: DynamoTable, account_id: str, update: Expressions) -> bool:
    try:
        table.update(schema.account_key(account_id), update)
    except ConditionFailedError:
        return False
    return True


def _require_ended(table: DynamoTable, account_id: str, key_digest: str) -> None:
    if not ended_keys.exists(table, account_id, key_digest):
        message = f"there is no such key on account {account_id}"
        raise UnknownAccountError(message)
