"""What the headers of an authenticated answer tell: credits and the rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.account_status import AccountStatus, RateLimitStatus

POLICY = "requests"
"""The name that ties the two rate-limit headers together."""

NOSNIFF = {"X-Content-Type-Options": "nosniff"}
"""No answer is anything but what its Content-Type says, whatever a browser makes of its bytes."""

CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Timing-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "X-Request-Id, X-Credits-Charged, X-Credits-Remaining, RateLimit, RateLimit-Policy, "
        "Retry-After, Idempotent-Replayed, Server-Timing"
    ),
}
"""Any page may call the API: what it needs is a key, not a cookie."""


def account_headers(status: AccountStatus) -> dict[str, str]:
    """Return the call's cost, if it is known, the balance, and how many requests may follow."""
    charged = status.credits_charged
    return {
        **({} if charged is None else {"X-Credits-Charged": str(charged)}),
        "X-Credits-Remaining": str(status.credits_left),
        **_rate_headers(status.rate),
    }


def server_timing(durations_ms: Mapping[str, float]) -> str:
    """Write the Server-Timing field (W3C Server Timing), in milliseconds."""
    return ", ".join(f"{name};dur={duration:.1f}" for name, duration in durations_ms.items())


def _rate_headers(rate: RateLimitStatus) -> dict[str, str]:
    """Write the fields of draft-ietf-httpapi-ratelimit-headers-10.

    The policy's quota `q` is what a rested key may send at once, and its window `w` the
    seconds in which that much comes back. Of the current standing, `r` is what may be sent
    right now and `t` the seconds until the whole quota is there again.
    """
    window_s = -(-60 * rate.limit.burst // rate.limit.per_minute)
    return {
        "RateLimit-Policy": f'"{POLICY}";q={rate.limit.burst};w={window_s}',
        "RateLimit": f'"{POLICY}";r={rate.remaining};t={rate.reset_s}',
    }
