"""Clients of the tests repeat only the 503 for a store that the server cannot reach."""

from __future__ import annotations

import json

import pytest
import requests
from tests.integration.availability import until_available


def response(status: int, code: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.headers["Retry-After"] = "0"
    made._content = json.dumps({"error": {"code": code}}).encode()  # noqa: SLF001 - requests has no public way
    return made


def test_a_call_is_repeated_until_the_store_can_be_reached() -> None:
    unavailable, done = response(503, "temporarily_unavailable"), response(200, "")
    responses = iter([unavailable, unavailable, done])
    assert until_available(lambda: next(responses)) is done


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "overloaded"), (500, "internal_error"), (402, "insufficient_credits")],
)
def test_other_errors_are_returned_after_one_call(status: int, code: str) -> None:
    error = response(status, code)
    responses = iter([error])
    assert until_available(lambda: next(responses)) is error
