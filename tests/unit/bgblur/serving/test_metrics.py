from __future__ import annotations

import json

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from bgblur.serving.metrics import PoolState, ServerMetrics
from bgblur.serving.proxy import Reply

PHOTO = Reply(
    200,
    [
        (b"x-credits-charged", b"1"),
        (b"server-timing", b"decode;dur=55.5, matte;dur=1500, total;dur=2000"),
    ],
    b"picture",
)


def error(status: int, code: str) -> Reply:
    body = json.dumps({"error": {"code": code, "message": "", "request_id": "req_1"}})
    return Reply(status, [(b"x-credits-charged", b"0")], body.encode())


@pytest.fixture
def metrics() -> ServerMetrics:
    return ServerMetrics(lambda: PoolState(workers=2, busy=1, waiting=3))


def samples(metrics: ServerMetrics) -> dict[tuple[str, ...], float]:
    """Return the metrics that Prometheus reads over HTTP, by name and label values."""
    with metrics.served(("127.0.0.1", 0)) as port:
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    labels = ("route", "status", "code", "step")
    return {
        (sample.name, *(sample.labels[name] for name in labels if name in sample.labels)): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_responses_are_counted_by_route_status_and_code(metrics: ServerMetrics) -> None:
    metrics.observe("/v2/rembg/blur", PHOTO, 2.0)
    metrics.observe("/v2/rembg/blur", PHOTO, 0.2)
    metrics.observe("/v2/rembg/blur", error(402, "insufficient_credits"), 0.001)
    found = samples(metrics)
    assert found["bgblur_answers_total", "/v2/rembg/blur", "200", ""] == 2
    assert found["bgblur_answers_total", "/v2/rembg/blur", "402", "insufficient_credits"] == 1
    assert found["bgblur_answer_seconds_count", "/v2/rembg/blur"] == 3
    assert found["bgblur_answer_seconds_sum", "/v2/rembg/blur"] == pytest.approx(2.201)


def test_credits_and_the_seconds_of_each_step_are_added_up(metrics: ServerMetrics) -> None:
    for reply in (PHOTO, PHOTO, error(422, "no_subject")):
        metrics.observe("/v2/rembg/blur", reply, 2.0)
    found = samples(metrics)
    assert found["bgblur_credits_charged_total",] == 2
    assert found["bgblur_step_seconds_sum", "decode"] == pytest.approx(0.111)
    assert found["bgblur_step_seconds_sum", "matte"] == pytest.approx(3.0)


def test_quarters_of_a_credit_are_added_up(metrics: ServerMetrics) -> None:
    for charged in (b"0.25", b"1", b"0"):
        metrics.observe("/v1.0/removebg", Reply(200, [(b"x-credits-charged", charged)], b""), 1.0)
    assert samples(metrics)["bgblur_credits_charged_total",] == 1.25


def test_an_error_in_the_format_of_remove_bg_is_counted_with_its_code(
    metrics: ServerMetrics,
) -> None:
    body = b'{"errors": [{"title": "API Key invalid", "code": "auth_failed"}]}'
    metrics.observe("/v1.0/removebg", Reply(403, [], body), 0.0)
    assert samples(metrics)["bgblur_answers_total", "/v1.0/removebg", "403", "auth_failed"] == 1


def test_the_state_of_the_pool_is_read_for_each_scrape() -> None:
    states = iter([PoolState(2, 1, 3)] * 3 + [PoolState(1, 0, 0)] * 3)
    metrics = ServerMetrics(lambda: next(states))
    first, second = samples(metrics), samples(metrics)
    names = ("bgblur_workers", "bgblur_workers_busy", "bgblur_queue_photos")
    assert [first[name,] for name in names] == [2, 1, 3]
    assert [second[name,] for name in names] == [1, 0, 0]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": 1}', b'{"errors": []}', b"\xff" * 20_000]
)
def test_an_error_without_a_code_is_counted_without_one(
    body: bytes, metrics: ServerMetrics
) -> None:
    metrics.observe("other", Reply(400, [(b"server-timing", b"nonsense")], body), 0.0)
    assert samples(metrics)["bgblur_answers_total", "other", "400", ""] == 1
