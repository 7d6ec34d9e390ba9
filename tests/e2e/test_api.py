"""Requests over HTTP through sam's API Gateway to the function in its container.

`test_storage.py` tests large images.
"""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests
from events import make
from PIL import Image

from blur.credits import whole

if TYPE_CHECKING:
    from tests.e2e.customers import Customer

TIMEOUT_S = 60


def post(
    url: str, key: str | None, *, accept: str | None = "*/*", **fields: str
) -> requests.Response:
    """Post the sample photo, without an `Accept` header if `accept` is None."""
    # The library `requests` omits a default header if its value is None.
    headers: dict[str, Any] = {"Accept": accept, "ApiKey": key}
    return requests.post(
        f"{url}/v2/rembg/blur/",
        headers=headers,
        files={"image": ("photo.jpg", make.jpeg(), "image/jpeg")},
        data={"radius": "12", **fields},
        timeout=TIMEOUT_S,
    )


def test_a_photo_is_blurred_and_charged_in_dynamodb(url: str, customer: Customer) -> None:
    answer = post(url, customer.key)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Credits-Remaining"] == "2"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == ("PNG", (192, 192))
    account = customer.account()
    assert (account.balance, account.held, account.used) == (whole(2), 0, whole(1))


def test_a_client_without_an_accept_header_gets_a_png_and_a_browser_a_webp(
    url: str, customer: Customer
) -> None:
    answer = post(url, customer.key, accept=None)
    assert answer.status_code == 200
    # If a request has no `Accept`, API Gateway decodes the response's base64, but sam does not.
    content = answer.content
    picture = content if content[:1] == b"\x89" else base64.b64decode(content, validate=True)
    browser = "image/webp,*/*"
    assert picture == post(url, customer.key, accept=browser, format="png").content
    assert post(url, customer.key, accept=browser).headers["Content-Type"] == "image/webp"


def test_content_security_policy_of_the_page_allows_the_bucket(url: str) -> None:
    answer = requests.get(f"{url}/", headers={"Accept": "text/html"}, timeout=TIMEOUT_S)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>" in answer.text
    (allowed,) = re.findall(r"connect-src ([^;]+);", answer.headers["Content-Security-Policy"])
    assert re.fullmatch(r"'self' http\S+", allowed)
    described = requests.get(f"{url}/openapi.json", headers={"Accept": "*/*"}, timeout=TIMEOUT_S)
    assert described.json()["openapi"] == "3.1.0"


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"radius": "51"}, "invalid_radius"), ({"mode": "vanish"}, "invalid_mode")],
)
def test_an_invalid_field_gets_its_error_code_and_is_not_charged(
    url: str, customer: Customer, fields: dict[str, str], code: str
) -> None:
    answer = post(url, customer.key, **fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-Id"]
    assert customer.account().balance == whole(3)


def test_a_call_whose_photo_has_no_subject_is_refunded(url: str, customer: Customer) -> None:
    answer = requests.post(
        f"{url}/v2/rembg/blur/",
        headers={"ApiKey": customer.key},
        files={"image": ("flat.png", make.flat(), "image/png")},
        data={"radius": "12"},
        timeout=TIMEOUT_S,
    )
    assert answer.status_code == 422
    account = customer.account()
    assert (account.balance, account.held, account.used) == (whole(3), 0, 0)


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (None, 401, "invalid_api_key"),
        (make.UNKNOWN, 401, "invalid_api_key"),
        (make.EMPTY, 402, "insufficient_credits"),
        (make.LIMITED, 429, "rate_limit_exceeded"),
    ],
)
def test_each_kind_of_rejected_key_gets_its_status_and_error_code(
    url: str, key: str | None, status: int, code: str
) -> None:
    answer = post(url, key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("retry_after" in answer.json()["error"]) == (status == 429)
    assert ("Retry-After" in answer.headers) == (status == 429)


def test_an_account_with_three_credits_gets_three_images_and_then_402(
    url: str, customer: Customer
) -> None:
    assert [post(url, customer.key).status_code for _ in range(4)] == [200, 200, 200, 402]
    assert customer.account().balance == 0


def test_a_preflight_gets_204_an_unknown_route_404_and_a_wrong_method_405(
    url: str, customer: Customer
) -> None:
    preflight = requests.options(f"{url}/v2/rembg/blur/", timeout=TIMEOUT_S)
    assert preflight.status_code == 204
    assert "ApiKey" in preflight.headers["Access-Control-Allow-Headers"]
    assert requests.get(f"{url}/nowhere", timeout=TIMEOUT_S).status_code == 404
    assert requests.get(f"{url}/v2/rembg/blur", timeout=TIMEOUT_S).status_code == 405
    headers = {"ApiKey": customer.key}
    account = requests.get(f"{url}/v2/account", headers=headers, timeout=TIMEOUT_S).json()
    assert account["balance"] == 3
