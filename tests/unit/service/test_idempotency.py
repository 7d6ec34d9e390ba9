"""Calls that are repeated with their idempotency key, and the fingerprints of requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.service.conftest import FUNDS, KEY, OPTIONS, PRICE, REQUEST, balances, run

from blur.accounts.idempotency_key import IdempotencyKey
from blur.errors import IdempotencyConflictError
from blur.image_requests import BlurRequest
from blur.imaging.blur_options import BlurOptions

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.keys import ApiKey
    from blur.accounts.lost_calls import StartedCall
    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.service import ImageService


def test_a_call_repeated_with_its_idempotency_key_blurs_the_photo_again_and_is_charged_once(
    service: ImageService, store: SqliteAccountStore, key: ApiKey, clock: Clock
) -> None:
    first = run(service, key, lambda: REQUEST, left_ms=28_000, idempotency_key=KEY)
    clock.at_us += 1_000_000
    again = run(service, key, lambda: REQUEST, left_ms=28_000, idempotency_key=KEY)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.output.image == again.output.image
    assert again.status.credits_charged == 0
    other_key = IdempotencyKey("order-2")
    assert not run(
        service, key, lambda: REQUEST, left_ms=28_000, idempotency_key=other_key
    ).replayed
    other = replace(REQUEST, options=replace(OPTIONS, radius_px=4))
    with pytest.raises(IdempotencyConflictError):
        run(service, key, lambda: other, left_ms=28_000, idempotency_key=KEY)
    assert balances(store, key) == (FUNDS - 2 * PRICE, 0, 2 * PRICE)


def test_on_start_is_called_before_a_call_reserves_its_hold(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    seen: list[tuple[StartedCall, tuple[int, ...]]] = []
    observed = replace(service, on_start=lambda call: seen.append((call, balances(store, key))))
    run(observed, key, lambda: REQUEST, left_ms=28_000, idempotency_key=KEY)
    [(started, before)] = seen
    assert (started.key, started.hold.price, before) == (KEY, PRICE, (FUNDS, 0, 0))


@pytest.mark.parametrize(
    "other",
    [
        BlurRequest(b"other", OPTIONS),
        *(
            BlurRequest(REQUEST.image, replace(OPTIONS, **change))
            for change in (
                {"radius_px": 4},
                {"kernel": "bokeh"},
                {"mode": "cutout"},
                {"output": "webp"},
                {"quality": 91},
            )
        ),
    ],
)
def test_different_requests_have_different_fingerprints(other: BlurRequest) -> None:
    assert other.fingerprint() != REQUEST.fingerprint()
    assert len(other.fingerprint()) == 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterOptions(BlurOptions):
    """The options of a later version, with one additional parameter."""

    grain: int = 0


def test_a_newer_parameter_changes_a_fingerprint_only_if_the_request_sets_the_parameter() -> None:
    fingerprints = [
        BlurRequest(b"photo", options).fingerprint()
        for options in (OPTIONS, LaterOptions(radius_px=3), LaterOptions(radius_px=3, grain=1))
    ]
    # The first version of the service computed this fingerprint. Idempotency records are kept for
    # 24 hours, so after an update they can contain fingerprints from the earlier version.
    first = "b7fa37998362e40739befc85e237adc60b484cd47107cf2e74b38648918dc9f4"
    assert fingerprints[:2] == [first, first]
    assert fingerprints[2] != first


def test_a_result_with_an_idempotency_key_is_charged_even_if_its_client_disconnected(
    service: ImageService, store: SqliteAccountStore, key: ApiKey
) -> None:
    disconnected: Any = {
        "left_ms": 28_000,
        "idempotency_key": KEY,
        "is_client_connected": lambda: False,
    }
    assert run(service, key, lambda: REQUEST, **disconnected).status.credits_charged == PRICE
    assert run(service, key, lambda: REQUEST, **disconnected).replayed
    assert balances(store, key) == (FUNDS - PRICE, 0, PRICE)
