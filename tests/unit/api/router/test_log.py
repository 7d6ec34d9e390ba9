"""The log has one line for each response, and one more for an unexpected error.

The lines contain only known routes and methods.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.api.router.conftest import INTERNAL, call, lines

from blur.api.log_values import MAX_LOGGED_CHARS

if TYPE_CHECKING:
    import io

    from blur.api.router import Router


def test_a_request_without_an_error_is_one_line_in_the_log(
    router: Router, log: io.StringIO
) -> None:
    call(router, "GET", "/route")
    (line,) = lines(log)
    assert line["duration_ms"] in range(1_000)
    values = ("level", "message", "method", "path", "status", "request_id")
    assert [line[name] for name in values] == ["INFO", "answered", "GET", "/route", 200, "req_id"]
    assert line["invocation"] == "invocation-1"


def test_log_fields_of_a_rejected_request_are_not_in_the_next_line(
    router: Router, log: io.StringIO
) -> None:
    call(router, "GET", "/rejected")
    call(router, "GET", "/route")
    rejected, answered = lines(log)
    assert (rejected["status"], rejected["code"]) == (400, "invalid_radius")
    assert "code" not in answered


def test_an_exception_is_in_the_log_and_not_in_the_response(
    router: Router, log: io.StringIO
) -> None:
    result = call(router, "GET", "/broken")
    assert result["statusCode"] == 500
    assert json.loads(result["body"])["error"]["code"] == "internal_error"
    assert "/broken" not in result["body"]
    broke, answered = lines(log)
    assert (broke["level"], broke["message"]) == ("ERROR", "a request failed")
    assert "RuntimeError: /broken" in broke["exception"]
    assert broke["request_id"] == answered["request_id"] == "req_id"
    assert (answered["status"], answered["code"]) == (500, "internal_error")


def test_requests_to_quiet_routes_are_logged_at_debug_unless_they_fail(
    router: Router, log: io.StringIO
) -> None:
    call(router, "GET", "/quiet")
    assert log.getvalue() == ""
    call(router, "GET", "/broken")
    assert [line["level"] for line in lines(log)] == ["ERROR", "INFO"]


@pytest.mark.parametrize("method", ["bb_live_key", "X" * 60_000, ""])
def test_an_unknown_method_is_logged_as_unknown(
    router: Router, log: io.StringIO, method: str
) -> None:
    call(router, method, "/route")
    assert json.loads(log.getvalue())["method"] == "(unknown)"


def test_a_long_exception_is_truncated_in_the_log(router: Router, log: io.StringIO) -> None:
    call(router, "GET", "/long")
    broke, _ = lines(log)
    assert broke["exception_name"] == "RuntimeError"
    assert len(broke["exception"]) == MAX_LOGGED_CHARS


def test_the_duration_is_the_time_from_the_start_to_the_end_of_the_request(
    router: Router, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([100.0, 102.0])
    monkeypatch.setattr("blur.api.router.time.monotonic", lambda: next(seconds))
    call(router, "GET", "/route")
    assert lines(log)[0]["duration_ms"] == 2_000


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/route", "/route"),
        ("/route/", "/route"),
        ("/route" + "/" * 60_000, "/route"),
        ("/", "/"),
        ("/my-key", "(no route)"),
    ],
)
def test_the_log_has_the_route_without_trailing_slashes_and_never_an_unknown_path(
    router: Router, log: io.StringIO, path: str, logged: str
) -> None:
    call(router, "GET", path)
    assert json.loads(log.getvalue())["path"] == logged


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("/unavailable", "TimeoutError"),
        ("/failed", "ChildProcessError"),
        ("/rejected_with_cause", None),
    ],
)
def test_the_log_has_the_class_of_the_cause_of_a_server_error_but_never_its_message(
    router: Router, log: io.StringIO, path: str, cause: str | None
) -> None:
    call(router, "GET", path)
    assert json.loads(log.getvalue()).get("cause") == cause
    assert INTERNAL not in log.getvalue()


def test_the_log_line_of_an_error_without_a_cause_lacks_the_field_cause(
    router: Router, log: io.StringIO
) -> None:
    call(router, "GET", "/rejected")
    assert "cause" not in json.loads(log.getvalue())
