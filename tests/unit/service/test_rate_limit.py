"""Requests count towards the rate limit; uncharged requests with much CPU time count more."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.service.conftest import FUNDS, KEY, PRICE, REQUEST, balances, key_of_kind, run

from blur.account_status import AccountStatus, RateLimit
from blur.accounts.model import Hold, Instant, KeyKind, Weight
from blur.errors import InvalidImageError
from blur.parameter_errors import InvalidRadiusError

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.keys import ApiKey
    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.service import ImageService


@pytest.mark.parametrize(("cpu_ms", "weight"), [(0, 1), (100, 1), (101, 2), (310, 4)])
def test_an_uncharged_call_that_uses_more_cpu_time_counts_as_more_requests(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, cpu_ms: int, weight: int
) -> None:
    def heavy() -> ImageService:
        ticks = itertools.count(step=cpu_ms * 1_000_000)
        return replace(service, cpu_ticks=lambda: next(ticks))

    with pytest.raises(InvalidImageError) as caught:
        run(heavy(), key, lambda: replace(REQUEST, image=b""), left_ms=28_000)
    assert caught.value.account_status is not None
    assert caught.value.account_status.rate.remaining == 10 - weight
    free = key_of_kind(store, KeyKind.TEST)
    watermarked = run(heavy(), free, lambda: REQUEST, left_ms=28_000)
    assert watermarked.status.rate.remaining == 10 - weight
    live = key_of_kind(store, KeyKind.LIVE)
    paid = run(heavy(), live, lambda: REQUEST, left_ms=28_000, idempotency_key=KEY)
    assert paid.status.rate.remaining == 9
    replay = run(heavy(), live, lambda: REQUEST, left_ms=28_000, idempotency_key=KEY)
    assert (replay.replayed, replay.status.rate.remaining) == (True, 9 - weight)
    disconnected = run(
        heavy(), live, lambda: REQUEST, left_ms=28_000, is_client_connected=lambda: False
    )
    assert disconnected.status.rate.remaining == max(0, 9 - 2 * weight)


@pytest.mark.parametrize(("cpu_ms", "weight"), [(100, None), (101, Weight(1, RateLimit(60, 10)))])
def test_a_refund_after_much_cpu_time_has_a_weight_that_contains_the_keys_rate_limit(
    service: ImageService, key: ApiKey, cpu_ms: int, weight: Weight | None
) -> None:
    seen: list[Weight | None] = []

    class RecordingStore:
        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any method of the store
            return getattr(service.store, name)

        def refund(
            self, hold: Hold, *, now_us: Instant, weight: Weight | None, failed: bool
        ) -> AccountStatus:
            assert failed
            seen.append(weight)
            return service.store.refund(hold, now_us=now_us, weight=weight)

    ticks = itertools.count(7_000_000_000, step=cpu_ms * 1_000_000)
    recorded: Any = RecordingStore()
    heavy = replace(service, store=recorded, cpu_ticks=lambda: next(ticks))
    with pytest.raises(InvalidImageError):
        run(heavy, key, lambda: replace(REQUEST, image=b""), left_ms=28_000)
    assert seen == [weight]


def test_an_uncharged_request_counts_and_its_error_contains_the_account_status(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, clock: Clock
) -> None:
    for remaining in (9, 8):
        with service.authorized(key) as status:
            assert status.rate.remaining == remaining
    clock.at_us += 60_000_000
    message = "refused"
    with pytest.raises(InvalidRadiusError) as caught, service.authorized(key):
        raise InvalidRadiusError(message)
    assert caught.value.account_status is not None
    assert caught.value.account_status.rate.remaining == 9
    assert balances(store, key) == (FUNDS, 0, 0)


def test_the_account_is_shown_with_its_current_balance_the_key_and_the_rate_limit(
    service: ImageService, key: ApiKey, clock: Clock
) -> None:
    run(service, key, lambda: REQUEST, left_ms=28_000)
    clock.at_us += 1_000_000
    view = service.account(key)
    assert (view.account.balance, view.key.digest) == (FUNDS - PRICE, key.digest)
    assert view.rate.remaining == 9
