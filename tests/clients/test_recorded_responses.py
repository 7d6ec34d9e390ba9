"""Responses have the status, headers and fields of remove.bg's own responses.

The expected status, content type, names of headers and JSON are from the recordings in
remove-bg/ruby, `spec/fixtures/vcr_cassettes`, which were made in May and June 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from tests.clients import captured
from tests.clients.conftest import portrait, send

if TYPE_CHECKING:
    from tests.clients.captured import File
    from tests.integration.storage.conftest import Api

JSON = "application/json"
"""The recordings add `charset=utf-8`; JSON is always UTF-8 (RFC 8259, 8.1 and 11)."""
RESULT_HEADERS = [
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Type"),
    *("X-Width", "X-Height", "X-Max-Width", "X-Max-Height", "X-Credits-Charged"),
    *("Content-Type", "Content-Length", "Access-Control-Allow-Origin"),
]
"""The headers of the recordings `from-file-person-in-field`, `zip-person-in-field` and
`from-url-back-jpg`, except the proxy's headers: Date, Via and Alt-Svc."""
ACCOUNT = {
    "data": {
        "attributes": {
            "credits": {"subscription": 5000, "payg": 0, "enterprise": 0, "total": 5000},
            "api": {"free_calls": 50, "sizes": "all"},
        }
    }
}
"""The response body in the recording `account`."""
WRONG_KEY = {"errors": [{"title": "API Key invalid", "code": "auth_failed"}]}
"""The body of the recorded responses `account-invalid-api-key` and
`from-file-person-in-field-invalid-api-key`."""
NOT_AN_IMAGE = {
    "errors": [{"title": "Failed to download image from given image_url: HTTP Status 404"}]
}
"""The response body in the recording `from-url-non-existent-image`; its status is 400."""


def shape(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the structure of a JSON document: names and types without values."""
    if isinstance(value, dict):
        return {name: shape(content) for name, content in value.items()}
    if isinstance(value, list):
        return [shape(entry) for entry in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


def media_type(response: requests.Response) -> str:
    return response.headers["Content-Type"].partition(";")[0]


def account(api: Api, key: str) -> requests.Response:
    headers = {"X-Api-Key": key, "User-Agent": "remove-bg-ruby-2.2.1"}
    return requests.get(f"{api.server.url}/v1.0/account", headers=headers, timeout=60)


def test_the_account_has_exactly_the_recorded_fields(api: Api) -> None:
    response = account(api, api.key)
    assert (response.status_code, media_type(response)) == (200, JSON)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert shape(response.json()) == shape(ACCOUNT)
    attributes = response.json()["data"]["attributes"]
    assert attributes["api"]["sizes"] == "all"
    spent = {name: count for name, count in attributes["credits"].items() if name != "total"}
    assert attributes["credits"]["total"] == sum(spent.values())


def test_a_wrong_key_gets_the_response_recorded_from_remove_bg(api: Api, photo: File) -> None:
    answers = [
        account(api, "invalid-api-key"),
        send(captured.ruby_file(api.server.url, "invalid-api-key", photo)),
    ]
    for response in answers:
        assert (response.status_code, media_type(response)) == (403, JSON)
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.json() == WRONG_KEY


def test_an_error_has_at_least_the_fields_of_the_recorded_error(api: Api) -> None:
    response = send(captured.ruby_url(api.server.url, api.key, "http://example.com/404.png"))
    assert (response.status_code, media_type(response)) == (400, JSON)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    [recorded], [error] = NOT_AN_IMAGE["errors"], response.json()["errors"]
    assert recorded.keys() <= error.keys() <= {"title", "code", "detail"}
    assert set(map(type, error.values())) == {str}


def test_a_result_of_size_auto_has_the_recorded_price(api: Api) -> None:
    """The recordings have 500 x 333 pixels (0.25 credits) and 720 x 1080 pixels (1 credit)."""
    for side_px, price in ((408, "0.25"), (880, "1")):
        response = send(captured.ruby_file(api.server.url, api.key, portrait(side_px)))
        assert response.headers["X-Width"] == str(side_px)
        assert response.headers["X-Credits-Charged"] == price


@pytest.mark.parametrize(
    ("options", "kind"), [({}, "image/png"), ({"format": "zip"}, "application/zip")]
)
def test_a_result_has_the_headers_of_recorded_responses(
    options: dict[str, str], kind: str, api: Api
) -> None:
    small = portrait(400)
    response = send(captured.ruby_file(api.server.url, api.key, small, size="regular", **options))
    assert response.status_code == 200
    assert [name for name in RESULT_HEADERS if name not in response.headers] == []
    headers = response.headers
    assert (headers["Content-Type"], headers["Access-Control-Allow-Origin"]) == (kind, "*")
    sizes = [headers[f"X-{name}"] for name in ("Width", "Height", "Max-Width", "Max-Height")]
    assert sizes == ["400"] * 4
    assert headers["X-Credits-Charged"] == "0.25"
    limit, left, reset = (int(headers[f"X-RateLimit-{n}"]) for n in ("Limit", "Remaining", "Reset"))
    assert 0 <= left <= limit
    assert reset > 1_700_000_000, "the header is not a Unix time in seconds"
