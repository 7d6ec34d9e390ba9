"""Internal errors: the details are in the log and not in the response."""

from __future__ import annotations

import io
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from events import make

from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.errors import UnavailableError

from .conftest import FUNDS, balance_of

if TYPE_CHECKING:
    from tests.clocks import Clock

    from .conftest import Call


@pytest.fixture
def broken(call: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a handler with a model that raises an error, as in a damaged installation."""

    def fail(*_: object) -> None:
        message = "secret inner state"
        raise RuntimeError(message)

    monkeypatch.setattr("blur.imaging.matting.session.Model.predict", fail)
    return call


def lines_of(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_response_to_an_internal_error_has_no_details_and_the_call_is_not_charged(
    broken: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    response = broken(make.blur())
    assert (response.status, response.error["code"]) == (500, "internal_error")
    assert b"secret" not in response.body
    assert response.headers["x-credits-charged"] == "0"
    assert balance_of(store, make.FUNDED, clock) == (FUNDS, 0)


def unreachable(*_: object, **__: object) -> None:
    message = "unreachable"
    raise UnavailableError(message, retry_after_s=1)


def test_response_has_no_charge_header_if_the_charge_could_not_be_stored(
    call: Call, store: SqliteAccountStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteAccountStore, "settle", unreachable)
    response = call(make.blur())
    assert response.status == 200
    assert "x-credits-charged" not in response.headers
    assert response.headers["x-credits-remaining"] == str(FUNDS - 1)
    free = call(make.blur(make.TEST))
    assert (free.status, free.headers["x-credits-charged"]) == (200, "0")
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1, 1)


def test_failed_call_is_not_charged_even_if_its_refund_could_not_be_stored(
    call: Call, store: SqliteAccountStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteAccountStore, "refund", unreachable)
    response = call(make.blur(radius="51"))
    assert (response.status, response.headers["x-credits-charged"]) == (400, "0")
    clock.at_us += 3_600_000_000
    assert balance_of(store, make.FUNDED, clock) == (FUNDS, 0)


def test_traceback_is_logged_with_the_request_id_of_the_response(
    broken: Call, log: io.StringIO
) -> None:
    response = broken(make.blur())
    logged = [line for line in lines_of(log) if "exception" in line]
    assert [line["request_id"] for line in logged] == [response.error["request_id"]]
    assert "secret inner state" in logged[0]["exception"]
    assert "Traceback" in logged[0]["exception"]


def test_log_of_a_call_with_an_unavailable_store_has_the_class_but_not_the_message_of_the_error(
    call: Call, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        message = "/private/path"
        raise sqlite3.OperationalError(message)

    monkeypatch.setattr("blur.accounts.sqlite.file.open_connection", fail)
    assert call(make.blur()).error["code"] == "temporarily_unavailable"
    (line,) = lines_of(log)
    assert (line["code"], line["cause"]) == ("temporarily_unavailable", "OperationalError")
    assert "/private/path" not in log.getvalue()


def test_each_request_writes_one_log_line_that_contains_neither_its_key_nor_its_image(
    call: Call, log: io.StringIO
) -> None:
    event = make.blur()
    call(event)
    call(make.blur(radius="51"))
    assert [(line["status"], line.get("code")) for line in lines_of(log)] == [
        (200, None),
        (400, "invalid_radius"),
    ]
    assert make.FUNDED not in log.getvalue()
    assert event["body"][100:140] not in log.getvalue()


def test_metrics_count_the_response_and_its_error_code(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    call(make.blur(radius="51"))
    emf = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [metrics["invalid_radius"] for metrics in emf] == [[1.0]]
    assert [metrics["Answers"] for metrics in emf] == [[1.0]]
    assert emf[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "BackgroundBlur"
