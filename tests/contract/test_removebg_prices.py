"""Prices on `/v1.0/removebg`: previews, larger sizes, and copies of a call."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make
from PIL import Image
from tests.contract.removebg_calls import PHOTO, error_of, image_of, with_json

from bgblur.serving.proxy_events import InvocationContext
from blur.app import build_app
from blur.credits import QUARTER
from blur.imaging.removal.options import SIZES

from .conftest import FUNDS, ApiResponse, balance_of

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.settings import Settings

    from .conftest import Call


@pytest.mark.parametrize("size", ["", "preview", "small", "regular"])
def test_a_preview_costs_a_quarter_of_a_credit(
    size: str, call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    response = call(make.removal(size=size))
    assert response.headers["x-credits-charged"] == "0.25"
    assert response.headers["x-credits-remaining"] == "2.75"
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 0.25, 0)


def test_size_auto_costs_0_25_credits_only_for_a_photo_of_at_most_0_25_megapixels(
    call: Call,
) -> None:
    for shape, price in {(500, 500): "0.25", (501, 500): "1"}.items():
        photo = io.BytesIO()
        Image.open(io.BytesIO(PHOTO)).resize(shape).save(photo, "JPEG")
        response = call(make.removal(image=photo.getvalue(), size="auto"))
        assert response.headers["x-credits-charged"] == price
        assert image_of(response).size == shape
        encoded = base64.b64encode(photo.getvalue()).decode()
        as_json = call(with_json(image_file_b64=encoded, size="auto", crop=True))
        assert as_json.headers["x-credits-charged"] == price


def test_a_result_of_size_auto_with_the_price_of_a_preview_is_not_larger_than_a_preview(
    call: Call,
) -> None:
    photo = io.BytesIO()
    Image.open(io.BytesIO(PHOTO)).resize((500, 500)).save(photo, "JPEG")
    margins = {"crop": "true", "crop_margin": "400px"}
    enlarged = call(make.removal(image=photo.getvalue(), size="auto", **margins))
    # This JPEG has two frame headers: the first has 8 x 8 pixels, the second 1600 x 1600 pixels.
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "JPEG")
    header = small.getvalue()[: small.getvalue().index(b"\xff\xda")]
    Image.open(io.BytesIO(PHOTO)).resize((1600, 1600)).save(photo := io.BytesIO(), "JPEG")
    lying = call(make.removal(image=header + photo.getvalue()[2:], size="auto"))
    for response in (enlarged, lying):
        charged = float(response.headers.get("x-credits-charged", 0))
        if response.status == 200:
            width, height = image_of(response).size
            assert charged == (0.25 if width * height <= 250_000 else 1)
    assert enlarged.status == 200


def test_sizes_medium_and_50mp_cost_one_credit(call: Call) -> None:
    for size in ("medium", "50MP"):
        assert call(make.removal(size=size)).headers["x-credits-charged"] == "1"
    assert SIZES["medium"] == 1.5


def test_a_copy_within_two_minutes_is_free_and_a_later_copy_is_charged(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    first, copy = call(make.removal()), call(make.removal())
    assert "idempotent-replayed" not in first.headers
    assert copy.headers["idempotent-replayed"] == "true"
    assert (copy.headers["x-credits-charged"], copy.body) == ("0", first.body)
    other = call(make.removal(size="full"))
    assert other.headers["x-credits-charged"] == "1"
    clock.at_us += 120_000_000
    # Clocks can differ by 5 s, so the service waits 5 s longer before it charges a copy.
    assert call(make.removal()).headers["x-credits-charged"] == "0"
    clock.at_us += 5_000_000
    later = call(make.removal())
    assert "idempotent-replayed" not in later.headers
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1.5, 0)


def test_with_idempotency_keys_only_a_call_with_the_same_key_gets_a_replay(call: Call) -> None:
    def keyed(value: str, **fields: Any) -> ApiResponse:  # noqa: ANN401 - any fields of `make.removal`
        event = make.removal(**fields)
        event["headers"]["Idempotency-Key"] = value
        event["multiValueHeaders"]["Idempotency-Key"] = [value]
        return call(event)

    assert keyed("a").headers["x-credits-charged"] == "0.25"
    assert keyed("b").headers["x-credits-charged"] == "0.25"
    assert keyed("a").headers["idempotent-replayed"] == "true"
    conflict = keyed("a", crop="true")
    assert (conflict.status, error_of(conflict)["code"]) == (409, "idempotency_conflict")
    assert error_of(keyed("not valid"))["code"] == "invalid_idempotency_key"


def test_a_call_with_subject_person_on_the_blur_route_can_have_its_own_price(
    settings: Settings, store: SqliteAccountStore, clock: Clock, call: Call
) -> None:
    logger = Logger(service="people", stream=io.StringIO())
    own = replace(settings, price_person=QUARTER)
    handler = build_app(own, clock=clock, logger=logger)

    def charge(**fields: Any) -> str:  # noqa: ANN401 - any fields of `make.blur`
        response = ApiResponse(handler(make.blur(**fields), InvocationContext()))
        return response.headers["x-credits-charged"] if response.status == 200 else "none"

    assert charge(subject="person") == "0.25"
    assert charge() == "1"
    assert charge(subject="person", radius="51") == "none"
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1.25, 0)
    without_own = call(make.blur(subject="person"))
    assert (without_own.status, without_own.headers["x-credits-charged"]) == (200, "1")
