"""A form is read after the credits are held; if it sets the price, it is read before."""

from __future__ import annotations

from dataclasses import replace
from secrets import token_bytes
from typing import TYPE_CHECKING

import pytest
from tests.clocks import START
from tests.unit.service.conftest import (
    FUNDS,
    KEY,
    OPTIONS,
    PRICE,
    REQUEST,
    balances,
    key_of_kind,
    run,
)

from blur.accounts import keys
from blur.accounts.model import KeyKind
from blur.credits import Credits
from blur.errors import InsufficientCreditsError, InvalidApiKeyError, RateLimitError
from blur.forms import BlurForm
from blur.imaging.decomposition import SUBJECTS
from blur.parameter_errors import InvalidRadiusError
from blur.prices import Prices
from blur.service import STEPS, ImageService
from blur.timing import TOTAL

if TYPE_CHECKING:
    from blur.accounts.keys import ApiKey
    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.image_requests import BlurRequest


def test_a_form_is_read_after_the_hold_and_the_credits_for_an_invalid_form_are_refunded(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    held = []

    def read() -> BlurRequest:
        held.append(balances(store, key))
        message = "no such field"
        raise InvalidRadiusError(message)

    with pytest.raises(InvalidRadiusError) as caught:
        run(service, key, read, left_ms=28_000)
    assert held == [(FUNDS - PRICE, PRICE, 0)]
    status = caught.value.account_status
    assert status is not None
    assert (status.credits_charged, status.credits_left, status.rate.remaining) == (0, FUNDS, 9)
    assert balances(store, key) == (FUNDS, 0, 0)


def test_no_form_is_read_if_the_key_is_unknown_or_over_its_limit_or_has_too_few_credits(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    def read() -> BlurRequest:
        raise AssertionError

    unknown = keys.parse(keys.mint(KeyKind.LIVE, key.account_id, token_bytes))
    with pytest.raises(InvalidApiKeyError):
        run(service, unknown, read, left_ms=28_000)
    above = Credits(FUNDS + 1)
    poor = replace(service, prices=Prices(image=above, preview=PRICE, person=above))
    for idempotency_key in (None, KEY):
        with pytest.raises(InsufficientCreditsError):
            run(poor, key, read, left_ms=28_000, idempotency_key=idempotency_key)
    for _ in range(8):
        service.store.authorize(key.account_id, key.digest, now_us=START)
    for idempotency_key in (None, KEY):
        with pytest.raises(RateLimitError):
            run(service, key, read, left_ms=28_000, idempotency_key=idempotency_key)
    assert balances(store, key) == (FUNDS, 0, 0)


PERSON = Credits(1)


@pytest.fixture
def priced(service: ImageService) -> ImageService:
    """Return a service whose price depends on the form."""
    return replace(service, prices=Prices(image=PRICE, preview=PRICE, person=PERSON))


def test_calls_with_subject_person_have_a_separate_price_and_other_calls_the_usual_price(
    priced: ImageService, store: SqliteAccountStore, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SUBJECTS, "person", SUBJECTS["auto"])
    person = replace(REQUEST, options=replace(OPTIONS, subject="person"))
    assert run(priced, key, lambda: person, left_ms=28_000).status.credits_charged == PERSON
    assert run(priced, key, lambda: REQUEST, left_ms=28_000).status.credits_charged == PRICE
    assert balances(store, key) == (FUNDS - PERSON - PRICE, 0, PERSON + PRICE)


def test_a_form_that_sets_the_price_is_parsed_before_the_hold_and_its_image_is_loaded_later(
    priced: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    seen = []

    def load() -> bytes:
        seen.append(("image", balances(store, key)))
        return REQUEST.image

    def parse() -> BlurForm:
        seen.append(("form", balances(store, key)))
        return BlurForm(OPTIONS, load)

    result = priced.run(key, parse, prices=priced.prices.blur, left_ms=28_000)
    assert seen == [("form", (FUNDS, 0, 0)), ("image", (FUNDS - PRICE, PRICE, 0))]
    assert set(result.durations_ms) == {*STEPS, TOTAL}


def test_an_invalid_form_costs_nothing_and_counts_as_a_request_if_the_price_depends_on_the_form(
    priced: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    with pytest.raises(InvalidRadiusError) as caught:
        run(priced, key, invalid, left_ms=28_000)
    status = caught.value.account_status
    assert status is not None
    assert (status.credits_charged, status.credits_left, status.rate.remaining) == (0, FUNDS, 9)
    assert balances(store, key) == (FUNDS, 0, 0)


def invalid() -> BlurRequest:
    message = "no such field"
    raise InvalidRadiusError(message)


def test_an_unknown_key_a_low_balance_or_the_rate_limit_is_reported_before_an_invalid_form(
    priced: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    unknown = keys.parse(keys.mint(KeyKind.LIVE, key.account_id, token_bytes))
    with pytest.raises(InvalidApiKeyError):
        run(priced, unknown, invalid, left_ms=28_000)
    poor = replace(priced, prices=Prices(image=FUNDS, preview=FUNDS, person=Credits(FUNDS + 1)))
    with pytest.raises(InvalidRadiusError):
        run(poor, key, invalid, left_ms=28_000)
    poor = replace(priced, prices=Prices(image=Credits(FUNDS + 1), preview=PRICE, person=FUNDS))
    with pytest.raises(InvalidRadiusError):
        run(poor, key, invalid, left_ms=28_000)
    poorest = replace(
        priced, prices=Prices(image=Credits(FUNDS + 1), preview=PRICE, person=Credits(FUNDS + 2))
    )
    with pytest.raises(InsufficientCreditsError) as caught:
        run(poorest, key, invalid, left_ms=28_000)
    assert caught.value.account_status is not None
    assert caught.value.account_status.rate.remaining == 7
    free = key_of_kind(store, KeyKind.TEST)
    with pytest.raises(InvalidRadiusError):
        run(poorest, free, invalid, left_ms=28_000)
    for _ in range(7):
        priced.store.authorize(key.account_id, key.digest, now_us=START)
    with pytest.raises(RateLimitError):
        run(priced, key, invalid, left_ms=28_000)
    assert balances(store, key) == (FUNDS, 0, 0)
