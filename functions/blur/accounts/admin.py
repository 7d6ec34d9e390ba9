"""The operator's changes to accounts and keys, in any store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blur.accounts import keys
from blur.accounts.admin_errors import InvalidKeyError, UnknownAccountError
from blur.accounts.model import EntryKind, Instant, KeyKind, KeyRecord, LedgerEntry
from blur.credits import ZERO, Credits
from blur.errors import InvalidApiKeyError

if TYPE_CHECKING:
    from blur.account_status import RateLimit
    from blur.accounts.keys import Entropy
    from blur.accounts.ports import AccountStore


@dataclass(frozen=True, slots=True)
class AccountAdmin:
    """Changes accounts and keys in a store for the operator; all changes get the time `now_us`.

    `entropy` returns the random bytes of new ids and keys.
    """

    store: AccountStore
    entropy: Entropy
    now_us: Instant

    def create_account(self, name: str, *, credits: Credits = ZERO) -> str:  # noqa: A002 - `credits` is the glossary's term
        """Create an account and return its id; a ledger entry grants `credits`, if not 0."""
        account_id = keys.new_account_id(self.entropy)
        self.store.create_account(account_id, name, now_us=self.now_us)
        if credits:
            self.add_ledger_entry(account_id, EntryKind.GRANT, credits, "opening grant")
        return account_id

    def add_ledger_entry(
        self,
        account_id: str,
        kind: EntryKind,
        credits: Credits,  # noqa: A002 - `credits` is the glossary's term
        note: str,
        *,
        entry_id: str | None = None,
    ) -> LedgerEntry:
        """Append an entry to the ledger, at most once for each `entry_id`; None makes a new id."""
        entry_id = self.entropy(16).hex() if entry_id is None else entry_id
        entry = LedgerEntry(entry_id, account_id, kind, credits, self.now_us, note)
        self.store.append_entry(entry)
        return entry

    def issue_key(
        self,
        account_id: str,
        kind: KeyKind,
        *,
        limit: RateLimit,
        ttl_us: int | None = None,
    ) -> tuple[str, KeyRecord]:
        """Create a key; return the key's text, which is not stored, and the key's record.

        Raises:
            UnknownAccountError: the account does not exist.
            TooManyKeysError: the account has the maximum number of valid keys of this kind.
            InvalidArgumentError: the account's id, the limit or the lifetime is not valid.

        """
        self.store.read_account(account_id, now_us=self.now_us)
        text = keys.mint(kind, account_id, self.entropy)
        key = keys.parse(text)
        record = KeyRecord(
            digest=key.digest,
            account_id=account_id,
            kind=kind,
            prefix=key.prefix,
            created_us=self.now_us,
            expires_us=None if ttl_us is None else Instant(self.now_us + ttl_us),
            revoked=False,
            limit=limit,
        )
        self.store.add_key(record, now_us=self.now_us)
        return text, record

    def rotate_key(self, old: KeyRecord, *, grace_us: int) -> tuple[str, KeyRecord]:
        """Issue a key with the kind, limit and expiry of `old`; `old` expires after `grace_us`.

        If `old` expires earlier anyway, its expiry does not change.

        Raises:
            InvalidKeyError: the key `old` is revoked or has expired.
            TooManyKeysError: the account has the maximum number of valid keys of this kind.

        """
        if not old.is_valid(self.now_us):
            message = f"{old.prefix} is revoked or has expired; issue a new key instead"
            raise InvalidKeyError(message)
        ttl_us = None if old.expires_us is None else old.expires_us - self.now_us
        text, record = self.issue_key(old.account_id, old.kind, limit=old.limit, ttl_us=ttl_us)
        at_us = Instant(self.now_us + grace_us)
        self.store.expire_key(old.account_id, old.digest, at_us=at_us)
        return text, record

    def find_key(self, name: str) -> KeyRecord:
        """Find a key by its prefix or its full text.

        Raises:
            UnknownAccountError: the account does not exist, or does not have exactly one such key.
            InvalidArgumentError: the part of `name` with the account's id is not an id.

        """
        account = self.store.read_account(account_id_of(name), now_us=self.now_us)
        matching = [key for key in account.keys if name == key.prefix or _is_text_of(key, name)]
        if len(matching) != 1:
            message = f"account {account.account_id} has {len(matching)} keys that match"
            raise UnknownAccountError(message)
        return matching[0]


def _is_text_of(key: KeyRecord, name: str) -> bool:
    try:
        return keys.parse(name).digest == key.digest
    except InvalidApiKeyError:
        return False


def account_id_of(key_name: str) -> str:
    """Return the account id that is a part of a key's text or prefix.

    Raises:
        UnknownAccountError: the name is neither a key's text nor a key's prefix.

    """
    parts = key_name.split("_")
    if len(parts) != 4 or parts[0] != "bb" or len(parts[2]) != keys.ACCOUNT_ID_LENGTH:  # noqa: PLR2004 - a key's parts are bb, kind, account id and secret
        message = "identify the key by its prefix: bb_live_<account>_<4 characters>"
        raise UnknownAccountError(message)
    return parts[2]
