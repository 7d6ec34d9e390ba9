"""Each event in `events/` gets the status and error code that the event's file name contains."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from events import make
from PIL import Image, ImageChops

from blur.errors import ApiError
from blur.removal_errors import RemovalError

from .conftest import EVENTS, FUNDS, balance_of

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.sqlite.account_store import SqliteAccountStore

    from .conftest import ApiResponse, Call

FILES = sorted(EVENTS.glob("*.json"))
FAILURES = [file for file in FILES if file.name[0] == "4" and "removebg" not in file.name]
REMOVEBG_FAILURES = [file for file in FILES if file.name[0] == "4" and "removebg" in file.name]
CODES_BY_NAME = {"no_key": "invalid_api_key", "repeated_header": "invalid_request"}


def response_to(file: Path, call: Call) -> ApiResponse:
    return call(json.loads(file.read_text()))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_response_has_the_status_that_the_file_name_of_its_event_contains(
    file: Path, call: Call
) -> None:
    response = response_to(file, call)
    assert response.status == int(file.stem[:3]), response.raw
    assert response.headers["x-request-id"] == "req_00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("file", FAILURES, ids=lambda file: file.stem)
def test_error_response_has_exactly_the_documented_fields_and_the_call_is_not_charged(
    file: Path, call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    response = response_to(file, call)
    name = file.stem[4:]
    retry = {"retry_after"} if response.status == 429 else set()
    assert set(json.loads(response.body)) == {"error"}
    assert set(response.error) == {"code", "message", "request_id"} | retry
    assert response.error["code"] == CODES_BY_NAME.get(name, name)
    assert response.error["request_id"] == response.headers["x-request-id"]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-credits-charged"] == "0"
    assert balance_of(store, make.FUNDED, clock) == (FUNDS, 0)


@pytest.mark.parametrize("file", REMOVEBG_FAILURES, ids=lambda file: file.stem)
def test_error_on_a_route_of_remove_bg_has_the_fields_of_remove_bg_and_costs_nothing(
    file: Path, call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    response = response_to(file, call)
    (entry,) = json.loads(response.body)["errors"]
    assert entry["code"] == file.stem[4:].removeprefix("removebg_")
    assert set(entry) - {"detail"} == {"title", "code"}
    assert all(isinstance(value, str) for value in entry.values())
    assert response.headers["x-credits-charged"] == "0"
    assert balance_of(store, make.FUNDED, clock) == (FUNDS, 0)


@pytest.mark.parametrize(("stem", "mode"), [("200-blur", "RGB"), ("200-cutout", "RGBA")])
def test_blur_and_cutout_each_return_a_png_and_cost_one_credit(
    stem: str, mode: str, call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    response = response_to(EVENTS / f"{stem}.json", call)
    assert response.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(response.body)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", mode, (192, 192))
    assert response.headers["x-credits-charged"] == "1"
    assert response.headers["x-credits-remaining"] == str(FUNDS - 1)
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1, 0)


def test_call_with_a_test_key_is_free_and_gets_a_watermarked_image(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    watermarked, live = (
        response_to(EVENTS / f"200-{name}.json", call) for name in ("test_key", "blur")
    )
    assert watermarked.headers["x-credits-charged"] == "0"
    assert balance_of(store, make.TEST, clock) == (0, 0)
    with (
        Image.open(io.BytesIO(watermarked.body)) as marked,
        Image.open(io.BytesIO(live.body)) as plain,
    ):
        assert marked.size == plain.size
        changes = ImageChops.difference(marked, plain).convert("L").point(lambda level: level > 1)
    assert changes.getbbox() == (0, 0, 192, 192)
    assert changes.histogram()[0] < 0.02 * 192 * 192


def test_preflight_response_allows_the_key_header_from_any_origin(call: Call) -> None:
    response = response_to(EVENTS / "204-preflight.json", call)
    assert response.headers["access-control-allow-origin"] == "*"
    assert "ApiKey" in response.headers["access-control-allow-headers"]
    assert response.headers["access-control-allow-methods"] == "POST, OPTIONS"


def test_the_response_to_a_wrong_method_lists_the_allowed_methods(call: Call) -> None:
    response = response_to(EVENTS / "405-method_not_allowed.json", call)
    assert response.headers["allow"] == "POST, OPTIONS"


def test_a_rejected_call_succeeds_after_the_seconds_in_retry_after(
    call: Call, clock: Clock
) -> None:
    event = json.loads((EVENTS / "429-rate_limit_exceeded.json").read_text())
    refused = call(event)
    wait_s = refused.error["retry_after"]
    assert refused.headers["retry-after"] == str(wait_s)
    assert refused.headers["x-credits-remaining"] == str(FUNDS)
    clock.at_us += wait_s * 1_000_000
    assert call(event).status == 200


def test_account_document_has_the_balance_the_rate_limit_and_only_a_prefix_of_the_key(
    call: Call,
) -> None:
    body = json.loads(response_to(EVENTS / "200-account.json", call).body)
    assert body["balance"] == FUNDS
    assert body["held"] == 0
    assert body["rate_limit"] == {"per_minute": 60_000, "burst": 10_000}
    assert body["key"]["expires_at"] is None
    assert make.FUNDED.startswith(body["key"]["prefix"])
    assert len(body["key"]["prefix"]) < len(make.FUNDED) // 2


def test_the_stored_events_equal_the_generated_events_except_for_the_bodies() -> None:
    events = make.all_events()
    assert {file.stem for file in FILES} == set(events)
    for file in FILES:
        event = json.loads(file.read_text())
        assert {**event, "body": None} == {**events[file.stem], "body": None}, file.name


def test_every_error_code_has_an_event_or_is_listed_as_a_code_without_an_event() -> None:
    with_event = {CODES_BY_NAME.get(file.stem[4:], file.stem[4:]) for file in FAILURES}
    with_event |= {"idempotency_conflict", "idempotency_in_progress", "invalid_idempotency_key"}
    with_event |= {"result_not_found", "job_closed", "too_many_jobs"}  # these errors need a job
    # These errors need a failing or overloaded server.
    with_event |= {"internal_error", "temporarily_unavailable", "overloaded"}
    assert with_event == codes(ApiError)


def codes(error: type[ApiError]) -> set[str]:
    children = [child for child in error.__subclasses__() if child is not RemovalError]
    below = {code for child in children for code in codes(child)}
    return below | ({error.code} if "code" in vars(error) else set())
