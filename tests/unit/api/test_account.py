"""The JSON document that describes an account and one of its keys."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from blur.account_status import RateLimit, RateLimitStatus
from blur.accounts.model import Account, AccountView, Instant, KeyKind, KeyRecord, Usage
from blur.api.account import account_document, account_status
from blur.credits import QUARTER, Credits, whole
from blur.timing import rfc3339

if TYPE_CHECKING:
    import pytest

EIGHT = Instant(1_800_000_000_000_000)
LIMIT = RateLimit(per_minute=60, burst=7)
KEY = KeyRecord(
    digest="d" * 64,
    account_id="0aZ9bY8cX7dW",
    kind=KeyKind.TEST,
    prefix="bb_test_0aZ9bY8cX7dW_abcd",
    created_us=Instant(0),
    expires_us=EIGHT,
    revoked=False,
    limit=LIMIT,
)
ACCOUNT = Account(
    account_id="0aZ9bY8cX7dW",
    name="Käthe & Søn",
    created_us=Instant(0),
    balance=whole(6),
    held=QUARTER,
    granted=whole(10),
    used=Credits(15),
    usage={"2027-01": Usage(2, Credits(11)), "2026-12": Usage(3, whole(1))},
    keys=(KEY,),
)
VIEW = AccountView(ACCOUNT, KEY, RateLimitStatus(LIMIT, 5, 2))


def test_the_account_document_does_not_have_the_name_of_the_account() -> None:
    assert account_document(VIEW) == {
        "account_id": "0aZ9bY8cX7dW",
        "balance": 6,
        "held": 0.25,
        "usage": {
            "2026-12": {"calls": 3, "credits": 1},
            "2027-01": {"calls": 2, "credits": 2.75},
        },
        "rate_limit": {"per_minute": 60, "burst": 7},
        "key": {
            "prefix": "bb_test_0aZ9bY8cX7dW_abcd",
            "kind": "test",
            "expires_at": "2027-01-15T08:00:00Z",
        },
    }


def test_the_months_of_the_usage_are_in_chronological_order() -> None:
    assert list(account_document(VIEW)["usage"]) == ["2026-12", "2027-01"]


def test_the_document_of_a_key_without_expiry_has_null_as_expires_at() -> None:
    endless = replace(VIEW, key=replace(KEY, expires_us=None))
    assert account_document(endless)["key"]["expires_at"] is None


def test_the_account_status_has_the_balance_the_rate_limit_and_a_charge_of_0() -> None:
    status = account_status(VIEW)
    assert (status.credits_charged, status.credits_left, status.rate) == (0, whole(6), VIEW.rate)


def test_times_are_in_utc_although_the_server_has_another_time_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        assert rfc3339(EIGHT) == "2027-01-15T08:00:00Z"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_times_are_rounded_down_to_seconds() -> None:
    assert rfc3339(Instant(EIGHT - 1)) == "2027-01-15T07:59:59Z"
