"""Invalid requests get remove.bg's error codes and cost nothing."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make
from tests.contract.removebg_calls import PHOTO, PHOTO_B64, error_of, with_body, with_json

from bgblur.serving.proxy_events import InvocationContext
from blur.api.removebg.paths import REMOVEBG_PATH
from blur.app import build_app

from .conftest import FUNDS, ApiResponse, balance_of

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.settings import Settings

    from .conftest import Call


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (make.removal(image=b""), "missing_source"),
        (make.removal(image_url="https://example.com/a.jpg"), "multiple_sources"),
        (with_json(image_url="https://example.com/a.jpg"), "invalid_image_url"),
        (with_json(image_file=PHOTO_B64), "missing_source"),
        (with_json(image_file_b64="*"), "failed_to_read_image"),
        (make.removal(image=PHOTO[:200]), "failed_to_read_image"),
        (make.removal(image=b"%PDF-1.7"), "invalid_file_type"),
        (make.removal(image=make.huge()), "resolution_too_high"),
        (make.removal(image=make.flat()), "unknown_foreground"),
        (make.removal(size="huge"), "invalid_size"),
        (make.removal(format="bmp"), "invalid_format"),
        (make.removal(channels="rgb"), "invalid_channels"),
        (make.removal(bg_color="#12345"), "invalid_bg_color"),
        (make.removal(bg_image_url="https://example.com/a.jpg"), "invalid_bg_image_url"),
        (make.removal(bg_color="red", bg_image_url="https://a.example"), "multiple_bg_sources"),
        (make.removal(crop="2"), "invalid_crop"),
        (make.removal(crop_margin="51%"), "invalid_crop_margin"),
        (make.removal(position="left"), "invalid_position"),
        (make.removal(scale="5%"), "invalid_scale"),
        (make.removal(semitransparency="half"), "invalid_semitransparency"),
        (make.removal(add_shadow="true"), "unsupported_shadow"),
        (make.removal(shadow_type="drop"), "unsupported_shadow"),
        (make.removal(type_level="3"), "invalid_type_level"),
        (make.removal(roi="0 0 1"), "invalid_roi"),
        (make.removal(roi="0 0 9999 100%"), "roi_exceeds_bounds"),
        (make.removal(roi="50% 0 50% 100%"), "roi_region_empty"),
        (with_body("application/json", b"{"), "invalid_request"),
        (with_body("text/plain", b"x"), "invalid_request"),
    ],
)
def test_an_invalid_request_gets_an_error_code_of_remove_bg_and_costs_nothing(
    event: dict[str, Any], code: str, call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    response = call(event)
    assert (response.status, error_of(response)["code"]) == (400, code)
    assert balance_of(store, make.FUNDED, clock) == (FUNDS, 0)


def test_the_error_for_an_unreadable_background_names_the_background_image(call: Call) -> None:
    event = make.event(
        "POST",
        REMOVEBG_PATH,
        key=make.FUNDED,
        form={"image_file": ("a", PHOTO), "bg_image_file": ("b", b"no image")},
    )
    assert error_of(call(event))["title"] == "Failed to read background image"


def test_fields_are_checked_after_the_key_the_rate_limit_and_the_credits(
    call: Call,
) -> None:
    unknown = call(make.removal(make.UNKNOWN, size="huge"))
    assert (unknown.status, json.loads(unknown.body)) == (
        403,
        {"errors": [{"title": "API Key invalid", "code": "auth_failed"}]},
    )
    limited = call(make.removal(make.LIMITED, size="huge"))
    assert (limited.status, error_of(limited)["title"]) == (429, "Rate limit exceeded")
    assert int(limited.headers["retry-after"]) >= 1
    empty = call(make.removal(make.EMPTY, size="huge"))
    assert (empty.status, error_of(empty)["title"]) == (402, "Insufficient credits")
    assert error_of(call(make.removal(size="huge")))["code"] == "invalid_size"


def test_a_content_length_above_the_limit_gets_file_too_large(
    call: Call, settings: Settings
) -> None:
    limit = settings.removebg_max_body_bytes
    event = make.removal()
    for headers in (event["headers"], event["multiValueHeaders"]):
        length = str(limit + 1)
        headers["Content-Length"] = length if headers is event["headers"] else [length]
    response = call(event)
    assert (response.status, error_of(response)["code"]) == (400, "file_too_large")


def test_the_error_for_a_result_too_large_for_lambda_names_the_alternatives(
    settings: Settings, store: SqliteAccountStore, clock: Clock
) -> None:
    del store
    small = replace(settings, max_response_bytes=8_000)
    logger = Logger(service="small", stream=io.StringIO())
    for on_lambda, status in ((True, 400), (False, 200)):
        handler = build_app(small, clock=clock, logger=logger, on_lambda=on_lambda)
        response = ApiResponse(
            handler(make.removal(format="png", size="auto"), InvocationContext())
        )
        assert response.status == status
        if on_lambda:
            error = error_of(response)
            assert error["code"] == "file_too_large"
            assert "format=zip" in error["detail"]
            assert "'size'" in error["detail"]
