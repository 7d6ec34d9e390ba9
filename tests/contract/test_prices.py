"""Headers, errors and the account document show prices such as 0.75 credits exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from events import make

from blur.accounts import keys
from blur.accounts.model import EntryKind, LedgerEntry
from blur.credits import parse_credits

from .conftest import EVENTS, FUNDS, balance_of

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.settings import Settings

    from .conftest import Call


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, price=parse_credits("0.75"))


def test_headers_and_balance_are_exact_if_a_call_costs_three_quarters_of_a_credit(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    event = json.loads((EVENTS / "200-blur.json").read_text("utf-8"))
    charged = [call(event).headers for _ in range(4)]
    assert [headers["x-credits-charged"] for headers in charged] == 4 * ["0.75"]
    left = [str(FUNDS - 0.75), str(FUNDS - 1.5), str(FUNDS - 2.25), str(FUNDS - 3)]
    assert [headers["x-credits-remaining"] for headers in charged] == left
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 3, 0)


def test_amounts_in_the_account_document_have_decimals_only_if_they_are_not_whole(
    call: Call,
) -> None:
    blur, account = (
        json.loads((EVENTS / f"200-{name}.json").read_text("utf-8")) for name in ("blur", "account")
    )
    for charged in (0.75, 1.5, 2.25, 3):
        call(blur)
        document = json.loads(call(account).body)
        (month,) = document["usage"].values()
        amounts = (document["balance"], document["held"], month["credits"])
        assert amounts == (FUNDS - charged, 0, charged)
        assert [type(amount) for amount in amounts] == [type(FUNDS - charged), int, type(charged)]


def test_error_for_an_insufficient_balance_has_the_price_and_the_balance(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    key = keys.parse(make.EMPTY)
    amount = parse_credits("0.5")
    store.append_entry(LedgerEntry("half", key.account_id, EntryKind.TOP_UP, amount, clock()))
    response = call(json.loads((EVENTS / "402-insufficient_credits.json").read_text("utf-8")))
    assert response.status == 402
    message = (
        "This call costs 0.75 credits; the account has 0.5 left. Ask the operator for credits."
    )
    assert response.error["message"] == message
    assert response.headers["x-credits-remaining"] == "0.5"
    assert response.headers["x-credits-charged"] == "0"
