"""The account headers of a response."""

from __future__ import annotations

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.api.headers import account_headers, server_timing
from blur.credits import ZERO, Credits, whole

RATE = RateLimitStatus(RateLimit(per_minute=90, burst=20), remaining=7, reset_s=9)


def test_credits_and_rate_limit_are_headers() -> None:
    assert account_headers(AccountStatus(whole(1), whole(41), RATE)) == {
        "X-Credits-Charged": "1",
        "X-Credits-Remaining": "41",
        "RateLimit-Policy": '"requests";q=20;w=14',
        "RateLimit": '"requests";r=7;t=9',
    }


def test_credits_have_decimals_in_headers_only_if_they_are_not_whole() -> None:
    headers = account_headers(AccountStatus(Credits(1), Credits(163), RATE))
    assert headers["X-Credits-Charged"] == "0.25"
    assert headers["X-Credits-Remaining"] == "40.75"
    headers = account_headers(AccountStatus(ZERO, Credits(2), RATE))
    assert (headers["X-Credits-Charged"], headers["X-Credits-Remaining"]) == ("0", "0.5")


def test_durations_are_written_as_server_timing() -> None:
    assert server_timing({"matte": 12.34, "total": 100}) == "matte;dur=12.3, total;dur=100.0"
