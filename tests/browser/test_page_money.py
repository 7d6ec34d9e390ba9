"""After a lost response, the page shows the right costs, and a retry is not charged again."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from tests.browser.visit import Visit
from tests.integration.storage.conftest import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Request, Route
    from tests.integration.storage.conftest import Api

BLUR = "**/v2/rembg/blur/"
ERROR = {"error": {"code": "internal_error", "message": "Lost.", "request_id": "req_1"}}
LOST: list[dict[str, Any]] = [
    {"status": 504, "body": "<h1>Gateway Timeout</h1>", "content_type": "text/html"},
    {"status": 502, "body": "", "content_type": "text/plain"},
    {"status": 500, "body": json.dumps(ERROR), "content_type": "application/json"},
    {"status": 403, "body": "<Error/>", "content_type": "application/xml"},
]


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Api]:
    """Start a server with prices that are not whole numbers."""
    prices = {"BLUR_PRICE": "0.75", "BLUR_PRICE_PERSON": "0.25"}
    yield from serve(tmp_path_factory.mktemp("priced"), model_dir, BLUR_MEDIA="", **prices)


def test_prices_and_balances_in_quarters_are_shown_with_decimals(
    context: BrowserContext, priced: Api
) -> None:
    visit = Visit.started(context, priced)
    assert visit.page.inner_text("#hint") == "0.75 credits for each result. Errors are free."
    visit.page.check("input[value=person]", force=True)
    assert visit.page.inner_text("#hint") == "0.25 credits for each result. Errors are free."
    visit.page.check("input[name=subject][value=auto]", force=True)
    visit.begin()
    assert visit.page.inner_text("#credits") == "100 credits"
    visit.blur()
    visit.page.wait_for_selector("#credits:has-text('99.25 credits')")
    visit.page.locator("#radius").fill("3")
    assert visit.page.inner_text("#go") == "Blur again (0.75 credits)"
    visit.page.check("input[value=person]", force=True)
    assert visit.page.inner_text("#go") == "Blur again (0.25 credits)"


@pytest.mark.parametrize("answer", LOST, ids=lambda answer: str(answer["status"]))
def test_a_charged_call_with_a_lost_response_is_neither_shown_as_free_nor_charged_again(
    answer: dict[str, Any], visit: Visit
) -> None:
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(route.request.headers["idempotency-key"])
        assert route.fetch().ok
        route.fulfill(**answer)

    visit.begin()
    before = visit.balance()
    visit.page.route(BLUR, lose, times=1)
    visit.page.on("request", lambda request: _keep_key(request, sent))
    visit.page.click("#go")
    text = visit.failure()
    assert "Nothing was charged" not in text
    assert "You can safely try again" in text
    assert visit.balance() == before - 1
    visit.blur()
    assert visit.balance() == before - 1
    assert len(sent) == 3
    assert len(set(sent)) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "idempotency_in_progress"), (429, "rate_limit_exceeded"), (503, "overloaded")],
)
def test_after_a_lost_response_the_page_does_not_show_that_nothing_was_charged(
    status: int, code: str, visit: Visit
) -> None:
    sent: list[str] = []
    error = {"code": code, "message": "Later.", "request_id": "req_2"}
    refusal: dict[str, Any] = {
        "status": status,
        "body": json.dumps({"error": error}),
        "content_type": "application/json",
        "headers": {"X-Credits-Charged": "0"},
    }

    def lose(route: Route) -> None:
        assert route.fetch().ok
        route.fulfill(**LOST[0])

    visit.begin()
    before = visit.balance()
    visit.page.on("request", lambda request: _keep_key(request, sent))
    for answer in (lose, partial(_fulfill, **refusal)):
        visit.page.route(BLUR, answer, times=1)
        visit.page.click("#go")
        visit.page.wait_for_selector("#progress:not(:visible)", state="attached")
        text = visit.failure()
        assert "Nothing was charged" not in text
        assert "You can safely try again" in text
    visit.blur()
    assert visit.balance() == before - 1
    assert len(set(sent)) == 1


def _fulfill(route: Route, **answer: Any) -> None:  # noqa: ANN401 - any arguments of Playwright's `fulfill`
    route.fulfill(**answer)


def _keep_key(request: Request, sent: list[str]) -> None:
    if key := request.headers.get("idempotency-key"):
        sent.append(key)


def test_the_text_nothing_was_charged_is_shown_only_if_x_credits_charged_is_0(visit: Visit) -> None:
    visit.begin(b"this is no image")
    visit.page.click("#go")
    assert "Nothing was charged" in visit.failure()
    visit.give("photo.jpg", make.jpeg())
    visit.page.wait_for_selector("#failure:not(:visible)", state="attached")
    answer: dict[str, Any] = {"status": 400, "content_type": "application/json"}
    for charged, expected in (("0", True), ("1", False), ("", False)):
        answer |= {"body": json.dumps(ERROR), "headers": {"X-Credits-Charged": charged}}
        visit.page.route(BLUR, partial(_fulfill, **answer), times=1)
        visit.page.click("#go")
        visit.page.wait_for_selector("#failure:has-text('failed to process this photo')")
        assert ("Nothing was charged" in visit.failure()) is expected
        visit.give("another.jpg", make.jpeg())
        visit.page.wait_for_selector("#failure:not(:visible)", state="attached")


def test_after_an_uncharged_error_the_next_call_has_a_new_idempotency_key(visit: Visit) -> None:
    sent: list[str] = []
    visit.page.on("request", lambda request: _keep_key(request, sent))
    visit.begin()
    answer: dict[str, Any] = {"status": 500, "headers": {"X-Credits-Charged": "0"}, "json": ERROR}
    visit.page.route(BLUR, partial(_fulfill, **answer), times=2)
    for _ in range(2):
        visit.page.click("#go")
        visit.failure()
        visit.page.wait_for_selector("#progress:not(:visible)", state="attached")
    assert len(sent) == len(set(sent)) == 2
