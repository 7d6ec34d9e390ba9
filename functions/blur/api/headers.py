"""The headers of responses: credits, the rate limit, CORS and timing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.accounts.model import SECOND_US
from blur.credits import format_credits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.account_status import AccountStatus, RateLimitStatus
    from blur.accounts.model import Instant

POLICY = "requests"
"""The name of the policy in the headers `RateLimit` and `RateLimit-Policy`."""

NOSNIFF = {"X-Content-Type-Options": "nosniff"}
"""Browsers must use the Content-Type and not guess another type from the content."""

_EXPOSED = (
    "X-Request-Id, X-Credits-Charged, X-Credits-Remaining, RateLimit, RateLimit-Policy, "
    "Retry-After, Idempotent-Replayed, Server-Timing"
)
"""The headers that scripts of other origins can read in the responses of all routes of the API."""

_EXPOSED_BY_REMOVEBG = (
    f"{_EXPOSED}, X-Type, X-Width, X-Height, X-Max-Width, X-Max-Height, X-Foreground-Top, "
    "X-Foreground-Left, X-Foreground-Width, X-Foreground-Height, X-RateLimit-Limit, "
    "X-RateLimit-Remaining, X-RateLimit-Reset"
)

CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Timing-Allow-Origin": "*",
    "Access-Control-Expose-Headers": f"{_EXPOSED}, X-Depth, Link",
}
"""Pages of any origin can call the API. This is safe: the API needs a key, and ignores cookies."""


def response_headers(
    request_id: str, account_status: AccountStatus | None
) -> dict[str, str | list[str]]:
    """Return the headers that all responses of the API have.

    With an `account_status`, these include the headers for the account.
    """
    account = account_headers(account_status) if account_status else {}
    return {
        "X-Request-Id": request_id,
        "Cache-Control": "no-store",
        **NOSNIFF,
        **CORS_HEADERS,
        **account,
    }


def removebg_headers(
    request_id: str, account_status: AccountStatus | None, now_us: Instant
) -> dict[str, str | list[str]]:
    """Return the headers that all responses on remove.bg's paths have.

    With an `account_status`, these include remove.bg's headers for the rate limit. The time in
    `X-RateLimit-Reset` is in seconds since 1970.
    """
    headers = response_headers(request_id, account_status)
    headers["Access-Control-Expose-Headers"] = _EXPOSED_BY_REMOVEBG
    if account_status is None:
        return headers
    rate = account_status.rate
    return headers | {
        "X-RateLimit-Limit": str(rate.limit.burst),
        "X-RateLimit-Remaining": str(rate.remaining),
        "X-RateLimit-Reset": str(-(-now_us // SECOND_US) + rate.reset_s),
    }


def account_headers(status: AccountStatus) -> dict[str, str]:
    """Return the headers for the balance, the rate limit, and the charge if it is known."""
    charged = status.credits_charged
    return {
        **({} if charged is None else {"X-Credits-Charged": format_credits(charged)}),
        "X-Credits-Remaining": format_credits(status.credits_left),
        **_rate_headers(status.rate),
    }


def server_timing(durations_ms: Mapping[str, float]) -> str:
    """Return the value of the `Server-Timing` header, in milliseconds (W3C Server Timing)."""
    return ", ".join(f"{name};dur={duration:.1f}" for name, duration in durations_ms.items())


def _rate_headers(rate: RateLimitStatus) -> dict[str, str]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers-10.

    In `RateLimit-Policy`, `q` is the number of requests that can be sent at once after a pause, and
    `w` is the number of seconds until `q` requests are available again. In `RateLimit`, `r` is the
    number of requests that can be sent now, and `t` is the number of seconds until `q` requests are
    available.
    """
    window_s = -(-60 * rate.limit.burst // rate.limit.per_minute)
    return {
        "RateLimit-Policy": f'"{POLICY}";q={rate.limit.burst};w={window_s}',
        "RateLimit": f'"{POLICY}";r={rate.remaining};t={rate.reset_s}',
    }
