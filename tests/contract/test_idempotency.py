"""Calls with the same `Idempotency-Key` within 24 hours are charged only once in total."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from events import make
from tests.integration.accounts.customer import KeyedForm, begin

from blur.accounts import keys
from blur.accounts.idempotency_key import IdempotencyKey
from blur.accounts.model import SECOND_US, Hold, Instant
from blur.credits import ONE
from blur.skew import CLOCK_SKEW_S, CLOCK_SKEW_US

from .conftest import FUNDS, balance_of

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.sqlite.account_store import SqliteAccountStore

    from .conftest import Call

DAY_US = 24 * 3600 * SECOND_US


def keyed(value: str, event: dict[str, Any] | None = None) -> dict[str, Any]:
    event = event or make.blur(radius="3")
    event["headers"]["Idempotency-Key"] = value
    return event


def test_repeated_call_gets_a_replay_of_the_response_and_is_not_charged_again(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    first, again = call(keyed("order-1")), call(keyed("order-1"))
    assert first.body == again.body
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (first.headers["x-credits-charged"], again.headers["x-credits-charged"]) == ("1", "0")
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1, 0)


def test_repeated_call_is_replayed_when_the_account_has_no_credits_left(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    for count in range(FUNDS):
        assert call(keyed(f"order-{count}")).status == 200
    assert call(keyed("one-more")).status == 402
    assert call(keyed("order-0")).headers["idempotent-replayed"] == "true"
    assert balance_of(store, make.FUNDED, clock) == (0, 0)


@pytest.mark.parametrize("other", [{"radius": "4"}, {"mode": "cutout"}, {"image": make.flat()}])
def test_different_request_with_the_same_idempotency_key_gets_409(
    other: dict[str, Any], call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    call(keyed("order-1"))
    response = call(keyed("order-1", make.blur(**{"radius": "3", **other})))
    assert (response.status, response.error["code"]) == (409, "idempotency_conflict")
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1, 0)


def test_repeated_call_gets_409_until_the_hold_of_the_first_call_expires(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    key = keys.parse(make.FUNDED)
    order_fingerprint = fingerprint_of_first(call, store, clock)
    expires_us = Instant(clock() + 60 * SECOND_US)
    hold = Hold("other-process", key.account_id, key.digest, ONE, expires_us)
    begin(store, hold, KeyedForm("order-2", order_fingerprint), now_us=clock())
    response = call(keyed("order-2"))
    assert (response.status, response.error["code"]) == (409, "idempotency_in_progress")
    assert response.headers["retry-after"] == str(response.error["retry_after"]) == "2"
    # The process of the first call was killed, so the hold of that call expires.
    clock.at_us += (61 + CLOCK_SKEW_S) * SECOND_US
    assert call(keyed("order-2")).status == 200
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 2, 0)


def fingerprint_of_first(call: Call, store: SqliteAccountStore, clock: Clock) -> str:
    """Make the call with the idempotency key `order-1`, and return the stored fingerprint."""
    key = keys.parse(make.FUNDED)
    call(keyed("order-1"))
    scope = IdempotencyKey("order-1").scope(key.digest)
    record = store.find_record(key.account_id, scope, now_us=clock())
    assert record is not None
    return record.fingerprint


def test_idempotency_key_of_a_failed_call_can_be_used_again(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    assert call(keyed("order-1", make.blur(image=make.flat()))).status == 422
    assert call(keyed("order-1")).status == 200
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1, 0)


def test_repeated_call_is_replayed_for_a_day_and_then_charged_again(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    call(keyed("order-1"))
    clock.at_us += DAY_US - 1
    assert call(keyed("order-1")).headers["x-credits-charged"] == "0"
    clock.at_us += CLOCK_SKEW_US + 2
    assert call(keyed("order-1")).headers["x-credits-charged"] == "1"
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 2, 0)


@pytest.mark.parametrize("value", ["", " ", "two words", "a" * 256, "caf\u00e9", "tab\t"])
def test_an_idempotency_key_that_is_empty_too_long_or_not_visible_ascii_gets_400(
    value: str, call: Call
) -> None:
    response = call(keyed(value))
    assert (response.status, response.error["code"]) == (400, "invalid_idempotency_key")


def test_an_idempotency_key_of_255_characters_is_accepted(call: Call) -> None:
    assert call(keyed("~" * 255)).status == 200
