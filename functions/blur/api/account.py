"""The account as clients see it: the body of `GET /v2/account`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from blur.account_status import AccountStatus
from blur.accounts.model import SECOND_US
from blur.credits import ZERO, credits_number

if TYPE_CHECKING:
    from blur.accounts.model import AccountView, Instant


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
    """Return the account's status; reading it costs nothing."""
    return AccountStatus(credits_charged=ZERO, credits_left=view.account.balance, rate=view.rate)


def rfc3339(at_us: Instant) -> str:
    """Return a time with a precision of one second, such as `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(at_us // SECOND_US, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
