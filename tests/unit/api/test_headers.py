"""The headers of a response: credits, rate limit and timings."""

from __future__ import annotations

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts.model import Instant
from blur.api.headers import (
    account_headers,
    removebg_headers,
    response_headers,
    server_timing,
)
from blur.credits import QUARTER, ZERO, Credits, whole

RATE = RateLimitStatus(RateLimit(per_minute=90, burst=20), remaining=7, reset_s=9)


def test_the_account_headers_have_the_credits_and_the_rate_limit() -> None:
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


def test_there_is_no_header_for_a_charge_that_is_unknown() -> None:
    headers = account_headers(AccountStatus(None, whole(41), RATE))
    assert "X-Credits-Charged" not in headers
    assert headers["X-Credits-Remaining"] == "41"


def test_headers_of_remove_bgs_routes_have_the_rate_limit_and_expose_all_headers() -> None:
    status, at_us = AccountStatus(QUARTER, whole(41), RATE), Instant(1_800_000_000_000_001)
    headers = removebg_headers("req_1", status, at_us)
    exposed = str(headers["Access-Control-Expose-Headers"]).split(", ")
    assert headers == response_headers("req_1", status) | {
        "Access-Control-Expose-Headers": ", ".join(exposed),
        "X-RateLimit-Limit": "20",
        "X-RateLimit-Remaining": "7",
        "X-RateLimit-Reset": "1800000010",
    }
    assert exposed == [
        "X-Request-Id",
        *("X-Credits-Charged", "X-Credits-Remaining", "RateLimit", "RateLimit-Policy"),
        *("Retry-After", "Idempotent-Replayed", "Server-Timing", "X-Type"),
        *("X-Width", "X-Height", "X-Max-Width", "X-Max-Height"),
        *("X-Foreground-Top", "X-Foreground-Left", "X-Foreground-Width", "X-Foreground-Height"),
        *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    ]


def test_remove_bgs_headers_without_an_account_have_no_rate_limit() -> None:
    headers = removebg_headers("req_1", None, Instant(0))
    assert not any(name.startswith("X-RateLimit") for name in headers)
    assert headers["X-Request-Id"] == "req_1"
    assert "X-Type" in headers["Access-Control-Expose-Headers"]


def test_durations_are_written_as_server_timing() -> None:
    assert server_timing({"matte": 12.34, "total": 100}) == "matte;dur=12.3, total;dur=100.0"
