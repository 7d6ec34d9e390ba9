"""The handler fetches a photo and a background by URL, from a test server on this machine."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make
from PIL import Image
from tests.integration.fetching.fetchers import fetcher
from tests.integration.fetching.image_host import ImageHost, image_host, response, sends

from bgblur.serving.proxy_events import InvocationContext
from blur import app
from blur.api.removebg.paths import REMOVEBG_PATH

from .conftest import FUNDS, ApiResponse, balance_of

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.settings import Settings

    from .conftest import Call

CallFetching = Callable[[ImageHost], "Call"]


@pytest.fixture
def call_fetching(
    store: SqliteAccountStore,
    settings: Settings,
    clock: Clock,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> CallFetching:
    """Return a function that builds a handler which can fetch only from a given test server."""
    del store  # the fixture creates the database before the handler opens it

    def build(host: ImageHost) -> Call:
        monkeypatch.setattr(app, "open_fetcher", lambda _: fetcher(host))
        logger = Logger(service=f"test-{id(log)}", stream=log)
        handler = app.build_app(settings, clock=clock, logger=logger)
        return lambda event: ApiResponse(handler(event, InvocationContext()))

    return build


def removal_of(host: ImageHost, **fields: str) -> dict[str, Any]:
    return make.removal(image=b"", image_url=host.url("/photo.jpg?token=a-secret"), **fields)


def error_of(answer: ApiResponse) -> dict[str, str]:
    (error,) = json.loads(answer.body)["errors"]
    return dict(error)


def test_photo_by_url_gets_the_same_result_as_the_same_photo_as_a_file(
    call_fetching: CallFetching,
) -> None:
    with image_host(sends(response(make.jpeg()))) as host:
        call = call_fetching(host)
        by_url, by_file = call(removal_of(host, size="full")), call(make.removal(size="full"))
    assert (by_url.status, by_url.body) == (200, by_file.body)


def test_corner_of_the_result_has_the_colour_of_the_background_image_at_the_url(
    call_fetching: CallFetching,
) -> None:
    background = io.BytesIO()
    Image.new("RGB", (300, 300), (250, 0, 250)).save(background, "PNG")
    with image_host(sends(response(background.getvalue()))) as host:
        answer = call_fetching(host)(make.removal(bg_image_url=host.url(), format="png"))
    assert answer.status == 200
    with Image.open(io.BytesIO(answer.body)) as picture:
        assert picture.convert("RGB").getpixel((0, 0)) == (250, 0, 250)


@pytest.mark.parametrize(
    ("sent", "codes"),
    [
        (response(b"<html>log in"), ("invalid_file_type", "failed_bg_download")),
        (response(status="404 Not Found"), ("failed_image_download", "failed_bg_download")),
        (
            response(b"\x89PNG\r\n\x1a\n" + 600_000 * b"a"),
            ("file_too_large", "failed_bg_download"),
        ),
        (
            response(status="302 Found", headers=["Location: http://127.0.0.2/"]),
            ("invalid_image_url", "invalid_bg_image_url"),
        ),
    ],
    ids=["html", "404", "too large", "redirect to a private address"],
)
def test_failed_fetch_gets_400_and_is_not_charged(
    sent: bytes,
    codes: tuple[str, str],
    call_fetching: CallFetching,
    store: SqliteAccountStore,
    clock: Clock,
) -> None:
    with image_host(sends(sent)) as host:
        call = call_fetching(host)
        answers = call(removal_of(host)), call(make.removal(bg_image_url=host.url()))
    assert [answer.status for answer in answers] == [400, 400]
    assert tuple(error_of(answer)["code"] for answer in answers) == codes
    assert {answer.headers["x-credits-charged"] for answer in answers} == {"0"}
    assert balance_of(store, make.FUNDED, clock) == (FUNDS, 0)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"image_url": "http://\ud800/"}, "invalid_image_url"),
        ({"image_url": "http://images.example:0/\udc00"}, "invalid_image_url"),
        ({"bg_image_url": "http://\ud800/", "image_file_b64": "AAAA"}, "invalid_bg_image_url"),
    ],
)
def test_url_with_half_of_a_surrogate_pair_is_rejected(
    call_fetching: CallFetching, fields: dict[str, str], code: str
) -> None:
    event = make.event("POST", REMOVEBG_PATH, key=make.FUNDED, document=fields)
    with image_host(sends(response(make.jpeg()))) as host:
        answer = call_fetching(host)(event)
    assert (answer.status, error_of(answer)["code"]) == (400, code)


def test_token_in_the_url_of_a_failed_fetch_is_neither_logged_nor_returned(
    call_fetching: CallFetching, log: io.StringIO
) -> None:
    with image_host(sends(response(status="404 Not Found"))) as host:
        answer = call_fetching(host)(removal_of(host))
    assert b"a-secret" not in answer.body
    assert "a-secret" not in log.getvalue()


def test_no_image_is_fetched_for_a_call_without_credits_or_without_a_valid_key(
    call_fetching: CallFetching,
) -> None:
    with image_host(sends(response(make.jpeg()))) as host:
        call = call_fetching(host)
        for key, status in ((make.EMPTY, 402), (make.UNKNOWN, 403), (None, 403)):
            event = make.removal(key, image=b"", image_url=host.url(), bg_image_url=host.url())
            assert call(event).status == status
    assert not host.heads
