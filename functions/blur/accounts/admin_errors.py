"""The errors that operators get. The messages of these errors are never sent to clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.credits import format_credits

if TYPE_CHECKING:
    from blur.credits import Credits


class AccountAdminError(Exception):
    """Base class of the errors. A store's method that raises such an error has written nothing."""


class InvalidArgumentError(AccountAdminError):
    """A value is not valid; `operator_input` checks the values."""


class AccountExistsError(AccountAdminError):
    """Another account already has this id."""


class UnknownAccountError(AccountAdminError):
    """The account does not exist, or it does not have the key."""

    @classmethod
    def no_account(cls, account_id: str) -> UnknownAccountError:
        """Return the error for an account that does not exist."""
        return cls(f"there is no account {account_id}")

    @classmethod
    def no_key(cls, account_id: str) -> UnknownAccountError:
        """Return the error for a key that the account does not have."""
        return cls(f"account {account_id} does not have this key")


class OverdrawnError(AccountAdminError):
    """The adjustment removes more credits than the balance has."""

    @classmethod
    def by(cls, amount: Credits, balance: Credits) -> OverdrawnError:
        """Return the error; its message contains the adjustment `amount` and the `balance`."""
        change, left = format_credits(amount), format_credits(balance)
        return cls(f"an adjustment of {change} credits is not possible: the balance is {left}")


class InvalidKeyError(AccountAdminError):
    """The key is revoked or has expired, so it cannot be rotated or get a new rate limit."""

    @classmethod
    def ended(cls) -> InvalidKeyError:
        """Return the error for a revoked or expired key, whose rate limit cannot be changed."""
        return cls("the key is revoked or has expired; issue a new key instead")


class EntryDiffersError(AccountAdminError):
    """The ledger has an entry with the same id but different credits or a different kind."""


class TooManyKeysError(AccountAdminError):
    """The account has the maximum number of valid keys of this kind."""
