"""The operator's changes to accounts, keys and the ledger."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from blur.accounts.admin_errors import (
    AccountExistsError,
    InvalidKeyError,
    OverdrawnError,
    UnknownAccountError,
)
from blur.accounts.dynamo import ended_keys, holds, schema
from blur.accounts.dynamo.amounts import stored
from blur.accounts.dynamo.items import (
    account_of,
    bump_version,
    entry_item,
    entry_of,
    key_item,
    limit_item,
    new_account,
    require_account,
    set_version,
    version_of,
)
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable, Put, Update
from blur.accounts.dynamo.values import Expressions, Item
from blur.accounts.model import AccountWithLedger
from blur.accounts.operator_input import (
    check_account,
    check_entry,
    check_key,
    check_limit,
    check_number_of_keys,
    check_same_entry,
)
from blur.credits import Credits

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
        message = f"account {account_id} already exists"
        raise AccountExistsError(message) from None


def append_entry(table: DynamoTable, entry: LedgerEntry) -> None:
    """See `AccountStore.append_entry`. One transaction writes the entry and the credits.

    The entry gives the account a higher version than all earlier entries: the time of the entry, or
    a version slightly above the highest earlier version.
    """
    check_entry(entry)
    key, version = schema.account_key(entry.account_id), int(entry.at_us)
    while True:
        try:
            return table.transact(
                Put(entry_item(entry, version), _absent()),
                Update(key, _addition(entry.credits, version)),
            )
        except ConditionFailedError as failed:
            appended, account_or_none = failed.items
        if appended is not None:
            return check_same_entry(entry_of(appended, entry.account_id), entry)
        account = require_account(account_or_none, entry.account_id)
        if account["balance"] + min(0, entry.credits) < 0:
            raise OverdrawnError.by(entry.credits, account["balance"])
        # A random step is added to the version, so that two entries which are appended at the same
        # time are unlikely to use the same version.
        version = version_of(account) + 1 + secrets.randbelow(VERSION_STEP)


def add_key(table: DynamoTable, key: KeyRecord, now_us: Instant) -> None:
    """See `AccountStore.add_key`.

    The account gets a new version, so that a concurrent write that checks the version fails.
    """
    check_key(key)
    while True:
        item = _account_item(table, key.account_id, now_us)
        if key.digest in item["keys"] or ended_keys.exists(table, key.account_id, key.digest):
            return
        check_number_of_keys(key, account_of(item).keys, now_us)
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
        item = require_account(table.get(schema.account_key(account_id)), account_id)
        if key_digest not in item["keys"]:
            _require_ended(table, account_id, key_digest)


def revoke_key(table: DynamoTable, account_id: str, key_digest: str) -> None:
    """See `AccountStore.revoke_key`. A later write moves the key out of the account's item."""
    if not _change_key(table, account_id, key_digest, {"r": True}):
        item = require_account(table.get(schema.account_key(account_id)), account_id)
        if key_digest not in item["keys"]:
            _require_ended(table, account_id, key_digest)


def set_rate_limit(table: DynamoTable, account_id: str, key_digest: str, limit: RateLimit) -> None:
    """See `AccountStore.set_rate_limit`. The key's buckets are reset."""
    check_limit(limit)
    if not _change_key(table, account_id, key_digest, limit_item(limit)):
        item = table.get(schema.account_key(account_id)) or {"keys": {}}
        if key_digest not in item["keys"]:
            _require_ended(table, account_id, key_digest)
        raise InvalidKeyError.ended()


def read_account(table: DynamoTable, account_id: str, now_us: Instant) -> Account:
    """See `AccountStore.read_account`."""
    return ended_keys.with_ended_keys(table, _account_item(table, account_id, now_us))


def list_accounts(table: DynamoTable, now_us: Instant) -> Iterator[Account]:
    """See `AccountStore.list_accounts`."""
    condition = Expressions()
    sort = condition.path(schema.SORT_KEY)
    condition.conditions.append(f"{sort} = {condition.value(schema.ACCOUNT)}")
    ids = sorted(account_of(item).account_id for item in table.scan(condition))
    for account_id in ids:
        yield read_account(table.with_new_deadline(), account_id, now_us)


def list_entries(table: DynamoTable, account_id: str) -> Iterator[LedgerEntry]:
    """See `AccountStore.list_entries`."""
    yield from _ordered(_entry_items(table, account_id), account_id)


def read_with_ledger(table: DynamoTable, account_id: str, now_us: Instant) -> AccountWithLedger:
    """See `AccountStore.read_with_ledger`.

    No request to DynamoDB can read the account and a long ledger at the same moment. But each entry
    stores the version that the account's item had after the entry was added. So the amounts in the
    account's item include exactly the entries up to the item's version.
    """
    account = _account_item(table, account_id, now_us)
    included = [
        item for item in _entry_items(table, account_id) if version_of(item) <= version_of(account)
    ]
    return AccountWithLedger(
        ended_keys.with_ended_keys(table, account), _ordered(included, account_id)
    )


def _account_item(table: DynamoTable, account_id: str, now_us: Instant) -> Item:
    """Release expired holds and return the account's item.

    Raises:
        UnknownAccountError: the account does not exist.

    """
    check_account(account_id)
    item = require_account(table.get(schema.account_key(account_id)), account_id)
    return holds.release_expired(table, account_id, item, now_us)


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


def _addition(amount: Credits, version: int) -> Expressions:
    update = Expressions()
    balance, granted = update.path("balance"), update.path("granted")
    taken = Credits(max(0, -amount))
    credits_ = update.value(stored(amount))
    update.conditions.append(f"{balance} >= {update.value(stored(taken))}")
    update.sets += [f"{balance} = {balance} + {credits_}", f"{granted} = {granted} + {credits_}"]
    set_version(update, version)
    return update


def _change_key(table: DynamoTable, account_id: str, key_digest: str, changes: Item) -> bool:
    """Change a key and return True, or return False if the key is revoked or missing."""
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
        raise UnknownAccountError.no_key(account_id)
