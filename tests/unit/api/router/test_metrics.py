"""Responses are measured, and an error during a measurement does not change the response."""

from __future__ import annotations

import io
import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricValueError
from events import make
from tests.unit.api.router.conftest import CONTEXT, NOW, RecordingRoutes, call, lines

from blur.api.cloudwatch import cloudwatch_metrics
from blur.api.router import Router

if TYPE_CHECKING:
    from blur.api.response_record import ResponseRecord


def metrics(out: str) -> dict[str, Any]:
    """Return the printed metrics document."""
    (printed,) = [json.loads(line) for line in out.splitlines() if '"_aws"' in line]
    document: dict[str, Any] = printed
    return document


def test_a_router_without_a_function_for_metrics_prints_no_metrics(
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


def test_a_response_is_counted_and_its_duration_is_measured(
    router: Router, capsys: pytest.CaptureFixture[str]
) -> None:
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


@pytest.mark.parametrize("developing", ["true", "false"])
def test_the_event_of_a_request_is_not_printed_for_any_value_of_powertools_dev(
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
        warnings.simplefilter("ignore")  # Powertools warns if POWERTOOLS_DEV is set
        router = Router(
            {"/route": {"GET": handlers.open}}, clock=lambda: NOW, logger=logger, observe=observe
        )
        call(router, "GET", "/route")
    assert "httpMethod" not in capsys.readouterr().out


def test_a_response_is_sent_although_its_metrics_cannot_be_written(
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
def test_an_error_while_measuring_a_response_is_logged_and_does_not_change_the_response(
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


def test_a_response_is_sent_although_it_cannot_be_recorded(
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
