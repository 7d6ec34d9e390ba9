"""The router finds routes, maps errors to responses, and logs each request."""

from __future__ import annotations

import base64
import io
import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.metrics import MetricValueError
from events import make

from bgblur.serving.proxy_events import InvocationContext
from blur.accounts.model import Instant
from blur.api import response
from blur.api.cloudwatch import cloudwatch_metrics
from blur.api.log_values import MAX_LOGGED_CHARS
from blur.api.router import Router
from blur.errors import InternalError, UnavailableError
from blur.parameter_errors import InvalidRadiusError

if TYPE_CHECKING:
    from blur.api.request import HttpRequest
    from blur.api.response_record import ResponseRecord
    from blur.api.router import HttpResponse, Routes


class Lambda:
    """Lambda's context object."""

    aws_request_id = "invocation-1"

    def get_remaining_time_in_millis(self) -> int:
        return 7


CONTEXT = Lambda()
NOW = Instant(1_800_000_000_000_000)
INTERNAL = "an internal detail"


class RecordingRoutes:
    """Handlers that record their requests."""

    def __init__(self) -> None:
        self.seen: list[HttpRequest] = []

    def open(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        return response.json_response({"path": request.path}, request.request_id)

    def rejected(self, request: HttpRequest) -> HttpResponse:
        raise InvalidRadiusError(request.path)

    def unavailable(self, _: HttpRequest) -> HttpResponse:
        raise UnavailableError(INTERNAL, retry_after_s=1) from TimeoutError(INTERNAL)

    def failed(self, _: HttpRequest) -> HttpResponse:
        raise InternalError from ChildProcessError(INTERNAL)

    def rejected_with_cause(self, _: HttpRequest) -> HttpResponse:
        raise InvalidRadiusError(INTERNAL) from ValueError(INTERNAL)

    def long(self, _: HttpRequest) -> HttpResponse:
        raise RuntimeError("x" * 100_000)

    def image(self, request: HttpRequest) -> HttpResponse:
        headers: dict[str, str | list[str]] = {"X-Request-Id": request.request_id}
        return Response(200, "image/png", b"\x89PNG", headers)

    def broken(self, request: HttpRequest) -> HttpResponse:
        raise RuntimeError(request.path)


@pytest.fixture
def handlers() -> RecordingRoutes:
    return RecordingRoutes()


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def router(handlers: RecordingRoutes, log: io.StringIO) -> Router:
    routes: Routes = {
        "/": {"GET": handlers.open},
        "/route": {"GET": handlers.open, "POST": handlers.open},
        "/rejected": {"GET": handlers.rejected},
        "/broken": {"GET": handlers.broken},
        "/long": {"GET": handlers.long},
        "/image": {"GET": handlers.image},
        "/posted": {"POST": handlers.open},
        "/things/{name}/parts": {"GET": handlers.open},
        "/quiet": {"GET": handlers.open},
        "/unavailable": {"GET": handlers.unavailable},
        "/failed": {"GET": handlers.failed},
        "/rejected_with_cause": {"GET": handlers.rejected_with_cause},
    }
    logger = Logger(service=f"test-{id(log)}", stream=log)
    return Router(
        routes,
        clock=lambda: NOW,
        logger=logger,
        observe=cloudwatch_metrics(Metrics(namespace="Test", service="test")),
        quiet={"/quiet", "/broken"},
    )


def call(router: Router, method: str, path: str) -> dict[str, Any]:
    event = make.event(method, path)
    event["requestContext"]["requestId"] = "id"
    return router(event, CONTEXT)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def metrics(out: str) -> dict[str, Any]:
    """Return the printed metrics document."""
    (printed,) = [json.loads(line) for line in out.splitlines() if '"_aws"' in line]
    document: dict[str, Any] = printed
    return document


@pytest.mark.parametrize("path", ["/things/a!b~'/parts", "/things/a!b~'/parts/"])
def test_a_route_gets_the_parameters_of_its_path_and_the_log_has_only_the_route(
    router: Router, handlers: RecordingRoutes, log: io.StringIO, path: str
) -> None:
    assert call(router, "GET", path)["statusCode"] == 200
    assert call(router, "HEAD", path)["statusCode"] == 200
    assert [request.path_parameters for request in handlers.seen] == [{"name": "a!b~'"}] * 2
    assert [line["path"] for line in lines(log)] == ["/things/{name}/parts"] * 2


def test_another_method_of_a_route_with_parameters_gets_405(router: Router) -> None:
    result = call(router, "POST", "/things/a/parts")
    assert result["statusCode"] == 405
    assert result["multiValueHeaders"]["Allow"] == ["GET, HEAD, OPTIONS"]
    assert call(router, "OPTIONS", "/things/a/parts")["statusCode"] == 204
    assert call(router, "GET", "/things//parts")["statusCode"] == 404


@pytest.mark.parametrize("path", ["/route", "/route/", "/"])
@pytest.mark.parametrize("method", ["GET", "get"])
def test_a_route_is_found_with_or_without_a_slash_at_the_end(
    router: Router, handlers: RecordingRoutes, path: str, method: str
) -> None:
    result = call(router, method, path)
    assert result["statusCode"] == 200
    assert json.loads(result["body"]) == {"path": path}
    assert [(request.method, request.path) for request in handlers.seen] == [("GET", path)]
    assert handlers.seen[0].left_ms == 7


@pytest.mark.parametrize("path", ["/nowhere", "/route/more", "//route/x", "/Room", "/roomX"])
def test_an_unknown_path_is_not_found(router: Router, path: str) -> None:
    result = call(router, "GET", path)
    assert result["statusCode"] == 404
    error = json.loads(result["body"])["error"]
    assert (error["code"], error["request_id"]) == ("not_found", "req_id")
    assert error["message"] == "No route has this path."


def test_an_event_without_method_or_path_gets_a_response(router: Router) -> None:
    assert router({}, CONTEXT)["statusCode"] == 405
    assert router({"httpMethod": "GET", "path": None}, CONTEXT)["statusCode"] == 200


def test_a_route_can_check_whether_the_client_is_still_connected(
    router: Router, handlers: RecordingRoutes
) -> None:
    router(make.event("GET", "/route"), CONTEXT)
    router(
        make.event("GET", "/route"),
        InvocationContext(is_client_connected=lambda: False),
    )
    assert [request.is_client_connected() for request in handlers.seen] == [True, False]


@pytest.mark.parametrize("path", ["/route", "/route/"])
def test_another_method_gets_405_with_the_methods_of_the_route(router: Router, path: str) -> None:
    result = call(router, "PUT", path)
    assert result["statusCode"] == 405
    assert result["multiValueHeaders"]["Allow"] == ["GET, POST, HEAD, OPTIONS"]
    assert json.loads(result["body"])["error"]["message"] == "This route accepts GET, POST, HEAD."
    assert call(router, "POST", "/")["multiValueHeaders"]["Allow"] == ["GET, HEAD, OPTIONS"]


def test_a_preflight_gets_the_methods(router: Router) -> None:
    result = call(router, "OPTIONS", "/route")
    assert (result["statusCode"], result["body"]) == (204, "")
    headers = result["multiValueHeaders"]
    assert headers["Access-Control-Allow-Methods"] == ["GET, POST, HEAD, OPTIONS"]
    assert headers["X-Request-Id"] == ["req_id"]
    assert call(router, "OPTIONS", "/nowhere")["statusCode"] == 404


def test_each_request_is_one_line_in_the_log(router: Router, log: io.StringIO) -> None:
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


@pytest.mark.parametrize("path", ["/route", "/image", "/quiet"])
def test_head_has_the_headers_of_get_and_no_body(router: Router, path: str) -> None:
    got, asked = call(router, "GET", path), call(router, "HEAD", path)
    size = len(base64.b64decode(got["body"]) if got["isBase64Encoded"] else got["body"])
    assert asked["statusCode"] == 200
    assert (asked["body"], asked["isBase64Encoded"]) == ("", False)
    expected = {**got["multiValueHeaders"], "Content-Length": [str(size)]}
    assert asked["multiValueHeaders"] == expected


@pytest.mark.parametrize(("path", "status"), [("/posted", 405), ("/nowhere", 404)])
def test_head_of_a_route_without_get_is_an_error_without_a_body(
    router: Router, path: str, status: int
) -> None:
    result = call(router, "HEAD", path)
    assert (result["statusCode"], result["body"]) == (status, "")


def test_quiet_routes_are_logged_below_info_unless_they_fail(
    router: Router, log: io.StringIO
) -> None:
    call(router, "GET", "/quiet")
    assert log.getvalue() == ""
    call(router, "GET", "/broken")
    assert [line["level"] for line in lines(log)] == ["ERROR", "INFO"]


@pytest.mark.parametrize("method", ["bb_live_key", "X" * 60_000, ""])
def test_the_log_has_only_known_methods(router: Router, log: io.StringIO, method: str) -> None:
    call(router, method, "/route")
    assert json.loads(log.getvalue())["method"] == "(unknown)"


def test_fields_of_the_log_are_bounded(router: Router, log: io.StringIO) -> None:
    call(router, "GET", "/long")
    broke, _ = lines(log)
    assert broke["exception_name"] == "RuntimeError"
    assert len(broke["exception"]) == MAX_LOGGED_CHARS


def test_without_metrics_no_metrics_are_printed(
    handlers: RecordingRoutes, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    router = Router(
        {"/route": {"GET": handlers.open}},
        clock=lambda: NOW,
        logger=Logger(service="bare", stream=io.StringIO()),
    )
    for _ in range(101):
        call(router, "GET", "/route")
    assert capsys.readouterr().out == ""
    assert not list(recwarn)


def test_a_response_is_measured(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    call(router, "GET", "/route")
    assert metrics(capsys.readouterr().out)["ColdStarts"] == [1.0]
    call(router, "GET", "/route")
    values = metrics(capsys.readouterr().out)
    assert values["Answers"] == [1.0]
    assert 0 <= values["Duration"][0] < 1_000
    units = {
        each["Name"]: each["Unit"] for each in values["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    assert units == {"Answers": "Count", "Duration": "Milliseconds"}


@pytest.mark.parametrize(
    ("path", "code"),
    [("/rejected", "invalid_radius"), ("/broken", "internal_error"), ("/nowhere", "not_found")],
)
def test_an_error_is_counted_by_its_code(
    router: Router, capsys: pytest.CaptureFixture[str], path: str, code: str
) -> None:
    call(router, "GET", path)
    values = metrics(capsys.readouterr().out)
    assert (values["Answers"], values[code]) == ([1.0], [1.0])
    units = {
        each["Name"]: each["Unit"] for each in values["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    assert units[code] == "Count"


def test_the_duration_is_measured_for_this_request_only(
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
def test_the_log_has_each_route_in_one_form_and_no_other_paths(
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
def test_the_log_has_the_class_of_a_cause_and_not_its_message(
    router: Router, log: io.StringIO, path: str, cause: str | None
) -> None:
    call(router, "GET", path)
    assert json.loads(log.getvalue()).get("cause") == cause
    assert INTERNAL not in log.getvalue()


def test_the_log_of_an_error_without_a_cause_has_no_cause(router: Router, log: io.StringIO) -> None:
    call(router, "GET", "/rejected")
    assert "cause" not in json.loads(log.getvalue())


@pytest.mark.parametrize("developing", ["true", "false"])
def test_no_powertools_switch_prints_events(
    handlers: RecordingRoutes,
    developing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    logger = Logger(service=f"quiet-{developing}", stream=io.StringIO())
    observe = cloudwatch_metrics(Metrics(namespace="Test", service="test"))
    monkeypatch.setenv("POWERTOOLS_DEV", developing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # powertools prints a warning about the switch
        router = Router(
            {"/route": {"GET": handlers.open}}, clock=lambda: NOW, logger=logger, observe=observe
        )
        call(router, "GET", "/route")
    assert "httpMethod" not in capsys.readouterr().out


def test_a_full_disk_for_metrics_does_not_stop_a_response(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Metrics) -> None:
        raise OSError

    monkeypatch.setattr(Metrics, "flush_metrics", full)
    assert call(router, "GET", "/route")["statusCode"] == 200


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (MetricValueError("a metric"), "MetricValueError"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"), "UnicodeEncodeError"),
        (RecursionError(), "RecursionError"),
    ],
)
def test_an_error_of_an_observer_is_logged_and_changes_no_response(
    handlers: RecordingRoutes, log: io.StringIO, error: Exception, name: str
) -> None:
    def observe(_: ResponseRecord) -> None:
        raise error

    router = Router(
        {"/route": {"GET": handlers.open}},
        clock=lambda: NOW,
        logger=Logger(service=f"observed-{id(log)}", stream=log),
        observe=observe,
    )
    assert call(router, "GET", "/route")["statusCode"] == 200
    failed, answered = lines(log)
    assert (failed["level"], failed["exception_name"]) == ("ERROR", name)
    assert failed["request_id"] == answered["request_id"] == "req_id"
    assert (answered["message"], answered["status"]) == ("answered", 200)


def test_a_record_that_cannot_be_made_changes_no_response(
    router: Router, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("blur.api.router.measured_fields", fail)
        assert call(router, "GET", "/route")["statusCode"] == 200
    (failed,) = lines(log)
    assert (failed["message"], failed["exception_name"]) == (
        "a response could not be recorded",
        "ZeroDivisionError",
    )
    router(make.event("GET", "/route") | {"requestContext": {"requestId": "next"}}, CONTEXT)
    assert [line["request_id"] for line in lines(log)] == ["req_id", "req_next"]


@pytest.mark.parametrize("path", ["/base/route", "/base/route/", "/route"])
def test_the_base_path_of_a_domain_is_not_part_of_the_route(
    handlers: RecordingRoutes, log: io.StringIO, path: str
) -> None:
    router = Router(
        {"/route": {"GET": handlers.open}, "/": {"GET": handlers.open}},
        clock=lambda: NOW,
        logger=Logger(service=f"base-{id(log)}", stream=log),
        base_path="base",
    )
    assert call(router, "GET", path)["statusCode"] == 200
    assert lines(log)[-1]["path"] == "/route"
    assert [call(router, "GET", root)["statusCode"] for root in ("/base", "/base/")] == [200, 200]
    assert [call(router, "GET", other)["statusCode"] for other in ("/basement", "/x/base")] == [
        404,
        404,
    ]
