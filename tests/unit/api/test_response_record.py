"""The record of a response: the fields of the log line, and the metrics."""

from __future__ import annotations

import base64
import errno
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools import Metrics
from events import make
from tests.documents import ROOT

from blur import parameter_errors, removal_errors
from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts import keys
from blur.api.cloudwatch import cloudwatch_metrics
from blur.api.request import from_event
from blur.api.response_record import (
    ResponseRecord,
    decoded_size,
    image_format,
    measured_fields,
    transferred_fields,
)
from blur.credits import ONE, QUARTER
from blur.errors import ApiError
from blur.measurements import Measurements
from blur.service import REMOVAL_STEPS, STEPS

MOST_METRICS = 80
KEY = keys.parse(make.FUNDED)
STATUS = AccountStatus(QUARTER, ONE, RateLimitStatus(RateLimit(60, 10), 9, 1))
ERROR = ResponseRecord(
    request_id="req_1", method="GET", path="/health", status=404, duration_ms=3, code="not_found"
)
PHOTO = ResponseRecord(
    request_id="req_1",
    method="POST",
    path="/v2/rembg/blur",
    status=200,
    duration_ms=812,
    account=KEY.account_id,
    key_prefix=KEY.prefix,
    credits=QUARTER,
    steps_ms={"decode": 12.345, "matte": 300.0},
    bytes_in=1_000,
    bytes_out=2_000,
    format="png",
    photo_pixels=12_345_678,
    is_cold=True,
)


def test_the_log_line_of_a_successful_call_has_every_field_except_the_error_code() -> None:
    assert PHOTO.log_fields() == {
        "request_id": "req_1",
        "method": "POST",
        "path": "/v2/rembg/blur",
        "status": 200,
        "duration_ms": 812,
        "account": KEY.account_id,
        "key_prefix": KEY.prefix,
        "credits": 0.25,
        "steps_ms": {"decode": 12.3, "matte": 300.0},
        "bytes_in": 1_000,
        "bytes_out": 2_000,
        "format": "png",
        "megapixels": 12.346,
        "cold_start": True,
    }


def test_fields_that_do_not_apply_are_left_out_of_the_log_line() -> None:
    assert ERROR.log_fields() == {
        "request_id": "req_1",
        "method": "GET",
        "path": "/health",
        "status": 404,
        "duration_ms": 3,
        "code": "not_found",
        "bytes_out": 0,
    }


def test_only_the_account_and_the_prefix_of_a_valid_key_are_recorded() -> None:
    fields = measured_fields(Measurements(KEY, STATUS, None, {"matte": 1.0, "total": 2.0}, 7))
    assert (fields["account"], fields["key_prefix"]) == (KEY.account_id, KEY.prefix)
    assert (fields["credits"], fields["photo_pixels"]) == (QUARTER, 7)
    assert fields["steps_ms"] == {"matte": 1.0}
    assert make.FUNDED not in str(fields)
    assert KEY.digest not in str(fields)


@pytest.mark.parametrize("measured", [Measurements(KEY), Measurements(status=STATUS)])
def test_an_account_is_recorded_only_if_the_key_and_the_account_status_are_known(
    measured: Measurements,
) -> None:
    assert not {"account", "key_prefix", "credits"} & measured_fields(measured).keys()


@pytest.mark.parametrize("size", range(7))
def test_the_size_of_a_base64_body_is_its_number_of_decoded_bytes(size: int) -> None:
    text = base64.b64encode(bytes(size)).decode("ascii")
    assert decoded_size(text, is_base64=True) == size
    assert decoded_size("x" * size, is_base64=False) == size


def test_the_size_of_a_text_body_is_its_size_in_utf_8() -> None:
    assert decoded_size("\u20ac", is_base64=False) == 3


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("image/png", "png"),
        ("image/jpeg; q=1", "jpeg"),
        ("application/zip", "zip"),
        ("application/json", None),
        ("", None),
    ],
)
def test_only_the_content_types_of_images_and_zip_archives_give_a_format(
    content_type: str, name: str | None
) -> None:
    assert image_format(content_type) == name


def test_bytes_in_and_bytes_out_are_the_sizes_of_the_request_and_the_response_body() -> None:
    request = from_event({"body": base64.b64encode(b"12345").decode(), "isBase64Encoded": True})
    headers = {"Content-Type": ["image/webp"]}
    body = base64.b64encode(b"1234567").decode()
    reply = {"statusCode": 200, "body": body, "isBase64Encoded": True, "multiValueHeaders": headers}
    expected = {"bytes_in": 5, "bytes_out": 7, "format": "webp"}
    assert transferred_fields(request, reply) == expected
    text = {"statusCode": 404, "body": "{}", "isBase64Encoded": False}
    assert transferred_fields(from_event({}), text) == {
        "bytes_in": 0,
        "bytes_out": 2,
        "format": None,
    }


def printed(record: ResponseRecord, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    cloudwatch_metrics(Metrics(namespace="Test", service="test"))(record)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_a_successful_call_has_metrics_for_its_photo_its_credits_and_its_steps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = printed(PHOTO, capsys)
    values = {name: value for name, value in document.items() if isinstance(value, list)}
    assert values == {
        "Answers": [1.0],
        "Duration": [812.0],
        "ColdStarts": [1.0],
        "Credits": [0.25],
        "Megapixels": [12.346],
        "BytesIn": [1_000.0],
        "BytesOut": [2_000.0],
        "StepDecode": [12.3],
        "StepMatte": [300.0],
    }


class FullDisk(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_metrics_that_could_not_be_printed_are_dropped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = cloudwatch_metrics(Metrics(namespace="Test", service="test"))
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", FullDisk())
        for _ in range(150):  # more than the 100 values that are kept for a metric
            observe(PHOTO)
    assert printed(PHOTO, capsys)["Answers"] == [1.0]


def test_invalid_metrics_raise_an_error_and_are_not_printed_with_the_next_metrics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    observe = cloudwatch_metrics(Metrics(namespace="Test", service="test"))
    with pytest.raises(TypeError):
        observe(replace(PHOTO, steps_ms={"decode": "not a number"}))  # type: ignore[dict-item]
    assert printed(PHOTO, capsys)["Answers"] == [1.0]


def test_metrics_have_the_service_as_their_only_dimension(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for record in (PHOTO, ERROR, replace(PHOTO, account="another")):
        document = printed(record, capsys)
        (documented,) = document["_aws"]["CloudWatchMetrics"]
        assert documented["Dimensions"] == [["service"]]
        assert document["service"] == "test"


def test_there_are_fewer_metrics_than_the_documented_maximum() -> None:
    steps = {*STEPS, *REMOVAL_STEPS}
    codes = {error.code for error in errors(ApiError) if "code" in vars(error)}
    others = 7  # Answers, Duration, ColdStarts, Credits, Megapixels, BytesIn, BytesOut
    assert others + len(steps) + len(codes) < MOST_METRICS
    text = " ".join((ROOT / "docs" / "operations.md").read_text("utf-8").split())
    price = f"so they cost at most ${MOST_METRICS * 3 // 10} per month"
    assert f"fewer than {MOST_METRICS} metrics, {price}" in text


def errors(kind: type[ApiError]) -> set[type[ApiError]]:
    assert parameter_errors
    assert removal_errors
    return {kind}.union(*(errors(child) for child in kind.__subclasses__()))
