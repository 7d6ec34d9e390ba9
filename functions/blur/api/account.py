"""The account as clients see it: the body of `GET /v2/account`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blur.account_status import AccountStatus
from blur.credits import ZERO, credits_number
from blur.timing import rfc3339

if TYPE_CHECKING:
    from blur.accounts.model import AccountView


def account_document(view: AccountView) -> dict[str, Any]:
    """Return the account as JSON values: credits as numbers, times as RFC 3339 in UTC."""
    account, key = view.account, view.key
    return {
        "account_id": account.account_id,
        "balance": credits_number(account.balance),
        "held": credits_number(account.held),
        "usage": {
            month: {"calls": usage.calls, "credits": credits_number(usage.credits)}
            for month, usage in sorted(account.usage.items())
        },
        "rate_limit": {"per_minute": key.limit.per_minute, "burst": key.limit.burst},
        "key": {
            "prefix": key.prefix,
            "kind": key.kind.value,
            "expires_at": None if key.expires_us is None else rfc3339(key.expires_us),
        },
    }


def account_status(view: AccountView) -> AccountStatus:
    """Return the status of the account in `view`; reading the account costs no credits."""
    return AccountStatus(credits_charged=ZERO, credits_left=view.account.balance, rate=view.rate)
