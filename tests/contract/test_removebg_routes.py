"""The routes of remove.bg's API: the header with the key, methods, preflights, and the account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from events import make
from tests.contract.removebg_calls import error_of

from blur.api.removebg.paths import ACCOUNT_PATH, REMOVEBG_PATH

from .conftest import FUNDS

if TYPE_CHECKING:
    from .conftest import Call


def test_a_key_in_the_header_apikey_gets_403(call: Call) -> None:
    event = make.removal()
    for headers in (event["headers"], event["multiValueHeaders"]):
        headers["ApiKey"] = headers.pop("X-Api-Key")
    assert call(event).status == 403


@pytest.mark.parametrize("path", [ACCOUNT_PATH, ACCOUNT_PATH + "/"])
def test_the_account_document_has_the_fields_of_remove_bg_and_the_balance(
    path: str, call: Call
) -> None:
    call(make.removal())
    response = call(make.event("GET", path, key=make.FUNDED))
    balance = FUNDS - 0.25
    assert (response.status, json.loads(response.body)) == (
        200,
        {
            "data": {
                "attributes": {
                    "credits": {
                        "total": balance,
                        "subscription": 0,
                        "payg": balance,
                        "enterprise": 0,
                    },
                    "api": {"free_calls": 0, "sizes": "all"},
                }
            }
        },
    )
    assert "x-ratelimit-remaining" in response.headers
    assert call(make.event("GET", path, key=make.UNKNOWN)).status == 403


@pytest.mark.parametrize("path", [REMOVEBG_PATH, ACCOUNT_PATH])
def test_a_preflight_allows_remove_bgs_key_header(path: str, call: Call) -> None:
    response = call(make.event("OPTIONS", path))
    assert response.status == 204
    assert "X-Api-Key" in response.headers["access-control-allow-headers"].split(", ")
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", REMOVEBG_PATH), ("DELETE", REMOVEBG_PATH), ("POST", ACCOUNT_PATH)]
)
def test_a_wrong_method_gets_405_in_the_error_format_of_remove_bg(
    method: str, path: str, call: Call
) -> None:
    response = call(make.event(method, path, key=make.FUNDED))
    assert response.status == 405
    assert error_of(response)["code"] == "method_not_allowed"


def test_a_repeated_key_header_is_rejected_in_remove_bgs_format(call: Call) -> None:
    response = call(make.repeated(make.removal(), "X-Api-Key"))
    assert (response.status, error_of(response)["code"]) == (400, "invalid_request")
