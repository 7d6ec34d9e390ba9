"""Prices are held, charged and refunded; only delivered results are charged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.clocks import START
from tests.unit.imaging.predictors import DiscPredictor
from tests.unit.service.conftest import (
    FUNDS,
    OPTIONS,
    PRICE,
    REQUEST,
    TTL_S,
    balances,
    key_of_kind,
    run,
)

from blur.accounts.model import Instant, KeyKind
from blur.errors import (
    ImageTooLargeError,
    InsufficientCreditsError,
    InvalidImageError,
    UnavailableError,
)
from blur.imaging.pipeline import blur_photo
from blur.service import STEPS, ImageService
from blur.skew import CLOCK_SKEW_S
from blur.timing import TOTAL

if TYPE_CHECKING:
    from blur.accounts.keys import ApiKey
    from blur.accounts.sqlite.account_store import SqliteAccountStore


def test_a_call_with_a_live_key_is_charged_and_its_result_has_the_balance_and_the_step_times(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    result = run(service, key, lambda: REQUEST, left_ms=28_000)
    assert (result.status.credits_charged, result.status.credits_left) == (PRICE, FUNDS - PRICE)
    assert result.status.rate.remaining == 9
    assert balances(store, key) == (FUNDS - PRICE, 0, PRICE)
    blurred = blur_photo(
        REQUEST.image,
        OPTIONS,
        model=DiscPredictor(),
        max_pixels=40 * 30,
        watermarked=False,
        on_step=lambda _: None,
    )
    assert result.output == blurred
    assert (result.replayed, result.link) == (False, None)
    assert result.durations_ms == dict.fromkeys(STEPS, 1.0) | {TOTAL: len(STEPS) + 1.0}


def test_a_call_with_a_test_key_is_free_and_its_result_has_a_watermark(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    free = key_of_kind(store, KeyKind.TEST)
    watermarked = run(service, free, lambda: REQUEST, left_ms=28_000)
    assert watermarked.status.credits_charged == 0
    assert balances(store, free) == (FUNDS, 0, 0)
    assert (
        watermarked.output.image.data
        != run(service, key, lambda: REQUEST, left_ms=28_000).output.image.data
    )


def test_while_a_photo_is_blurred_its_price_is_held_for_at_most_the_configured_time(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def predict(model: DiscPredictor, pixels: object) -> None:
        del model, pixels
        for after_s in (0, TTL_S - 1, TTL_S + CLOCK_SKEW_S):
            now_us = Instant(START + after_s * 1_000_000)
            account = store.read_account(key.account_id, now_us=now_us)
            seen.append((account.balance, account.held))
        message = "enough seen"
        raise RuntimeError(message)

    monkeypatch.setattr(DiscPredictor, "predict", predict)
    with pytest.raises(RuntimeError, match="enough seen"):
        run(service, key, lambda: REQUEST, left_ms=28_000)
    assert seen == [(FUNDS - PRICE, PRICE), (FUNDS - PRICE, PRICE), (FUNDS, 0)]
    assert balances(store, key) == (FUNDS, 0, 0)


def test_a_rejected_photo_costs_nothing_and_the_error_has_the_account_status(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    with pytest.raises(InvalidImageError) as caught:
        run(service, key, lambda: replace(REQUEST, image=b"no image"), left_ms=28_000)
    status = caught.value.account_status
    assert status is not None
    assert (status.credits_charged, status.credits_left) == (0, FUNDS)
    assert balances(store, key) == (FUNDS, 0, 0)


def test_a_photo_with_one_pixel_too_many_is_rejected(service: ImageService, key: ApiKey) -> None:
    engine = replace(service.engine(), max_pixels=40 * 30 - 1)
    tight = replace(service, engine=lambda: engine)
    with pytest.raises(ImageTooLargeError):
        run(tight, key, lambda: REQUEST, left_ms=28_000)


def test_an_internal_error_is_not_charged(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: DiscPredictor, pixels: object) -> None:
        del model, pixels
        raise KeyboardInterrupt

    monkeypatch.setattr(DiscPredictor, "predict", broken)
    with pytest.raises(KeyboardInterrupt):
        run(service, key, lambda: REQUEST, left_ms=28_000)
    assert balances(store, key) == (FUNDS, 0, 0)


@pytest.mark.parametrize(("left_ms", "done"), [(5_000, False), (5_001, True)])
def test_a_call_that_has_at_most_5_seconds_left_stops_without_a_charge(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, left_ms: int, *, done: bool
) -> None:
    if done:
        run(service, key, lambda: REQUEST, left_ms=left_ms)
    else:
        with pytest.raises(UnavailableError):
            run(service, key, lambda: REQUEST, left_ms=left_ms)
    assert balances(store, key) == ((FUNDS - PRICE, 0, PRICE) if done else (FUNDS, 0, 0))


def test_a_call_without_enough_credits_is_rejected_before_any_work(
    service: ImageService, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(FUNDS // PRICE):
        run(service, key, lambda: REQUEST, left_ms=28_000)
    monkeypatch.delattr(DiscPredictor, "predict")
    with pytest.raises(InsufficientCreditsError):
        run(service, key, lambda: REQUEST, left_ms=28_000)


def test_a_result_for_a_disconnected_client_is_not_charged(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    result = run(service, key, lambda: REQUEST, left_ms=28_000, is_client_connected=lambda: False)
    assert (result.status.credits_charged, result.status.credits_left) == (0, FUNDS)
    assert balances(store, key) == (FUNDS, 0, 0)
