"""The account headers of a response."""

from __future__ import annotations

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.api.headers import account_headers, server_timing


def test_credits_and_rate_limit_are_headers() -> None:
    rate = RateLimitStatus(RateLimit(per_minute=90, burst=20), remaining=7, reset_s=9)
    assert account_headers(AccountStatus(1, 41, rate)) == {
        "X-Credits-Charged": "1",
        "X-Credits-Remaining": "41",
        "RateLimit-Policy": '"requests";q=20;w=14',
        "RateLimit": '"requests";r=7;t=9',
    }


def test_durations_are_written_as_server_timing() -> None:
    assert server_timing({"matte": 12.34, "total": 100}) == "matte;dur=12.3, total;dur=100.0"
