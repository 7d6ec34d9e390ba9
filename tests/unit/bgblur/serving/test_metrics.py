from __future__ import annotations

import pytest
import requests
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bgblur.serving.metrics import ObjectsState, PoolState, ServerMetrics
from blur.api.response_record import ResponseRecord
from blur.credits import ONE, QUARTER, ZERO, Credits
from blur.jobs.model import JobObject, ObjectState

ROUTE = "/v2/rembg/blur"
PHOTO = ResponseRecord(
    request_id="req_1",
    method="POST",
    path=ROUTE,
    status=200,
    duration_ms=2000,
    credits=ONE,
    steps_ms={"decode": 55.5, "matte": 1500},
    bytes_in=1_000,
    bytes_out=3_000,
    photo_pixels=2_000_000,
)


def response(
    status: int, code: str | None = None, *, path: str = ROUTE, charged: Credits = ZERO
) -> ResponseRecord:
    return ResponseRecord(
        request_id="req_1",
        method="POST",
        path=path,
        status=status,
        duration_ms=1,
        code=code,
        credits=charged,
    )


@pytest.fixture
def metrics() -> ServerMetrics:
    return ServerMetrics(lambda: PoolState(workers=2, busy=1, waiting=3))


def samples(metrics: ServerMetrics) -> dict[tuple[str, ...], float]:
    """Return the metrics by name and label values."""
    return parsed(generate_latest(metrics.registry).decode())


def parsed(text: str) -> dict[tuple[str, ...], float]:
    labels = ("route", "status", "state", "code", "step", "direction")
    return {
        (sample.name, *(sample.labels[name] for name in labels if name in sample.labels)): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_responses_are_counted_by_route_and_status_and_code(metrics: ServerMetrics) -> None:
    metrics.observe(PHOTO, 2.0)
    metrics.observe(PHOTO, 0.2)
    metrics.observe(response(402, "insufficient_credits"), 0.001)
    found = samples(metrics)
    assert found["bgblur_answers_total", "/v2/rembg/blur", "200", ""] == 2
    assert found["bgblur_answers_total", "/v2/rembg/blur", "402", "insufficient_credits"] == 1
    assert found["bgblur_answer_seconds_count", "/v2/rembg/blur"] == 3
    assert found["bgblur_answer_seconds_sum", "/v2/rembg/blur"] == pytest.approx(2.201)


def test_credits_and_the_seconds_of_each_step_are_added_up(metrics: ServerMetrics) -> None:
    for record in (PHOTO, PHOTO, response(422, "no_subject")):
        metrics.observe(record, 2.0)
    found = samples(metrics)
    assert found["bgblur_credits_charged_total",] == 2
    assert found["bgblur_step_seconds_sum", "decode"] == pytest.approx(0.111)
    assert found["bgblur_step_seconds_sum", "matte"] == pytest.approx(3.0)


def test_bytes_and_megapixels_are_added_up(metrics: ServerMetrics) -> None:
    for record in (PHOTO, PHOTO, response(400, "invalid_image")):
        metrics.observe(record, 2.0)
    found = samples(metrics)
    assert found["bgblur_bytes_total", "in"] == 2_000
    assert found["bgblur_bytes_total", "out"] == 6_000
    assert found["bgblur_megapixels_total",] == 4


def test_the_metric_of_charged_credits_counts_quarters_of_a_credit(metrics: ServerMetrics) -> None:
    for charged in (QUARTER, ONE, ZERO):
        metrics.observe(response(200, charged=charged), 1.0)
    assert samples(metrics)["bgblur_credits_charged_total",] == 1.25


def test_metrics_count_the_photos_of_jobs_and_their_credits_megapixels_and_steps(
    metrics: ServerMetrics,
) -> None:
    done = JobObject(
        job_id="j", source="a", state=ObjectState.DONE, charged=QUARTER, pixels=2_000_000
    )
    failed = JobObject(job_id="j", source="b", state=ObjectState.FAILED, code="no_subject")
    for row in (done, done, failed):
        metrics.observe_object(row, {"matte": 1500.0})
    found = samples(metrics)
    assert found["bgblur_job_photos_ended_total", "done", ""] == 2
    assert found["bgblur_job_photos_ended_total", "failed", "no_subject"] == 1
    assert found["bgblur_credits_charged_total",] == 0.5
    assert found["bgblur_megapixels_total",] == 4
    assert found["bgblur_step_seconds_sum", "matte"] == pytest.approx(4.5)


def test_metrics_show_the_number_of_workers_on_jobs_and_of_unfinished_photos_in_jobs() -> None:
    metrics = ServerMetrics(lambda: PoolState(0, 0, 0), lambda: ObjectsState(1, 7))
    found = samples(metrics)
    assert (found["bgblur_workers_on_jobs",], found["bgblur_job_photos",]) == (1, 7)


def test_the_state_of_the_pool_is_read_for_each_scrape() -> None:
    states = iter([PoolState(2, 1, 3)] * 3 + [PoolState(1, 0, 0)] * 3)
    metrics = ServerMetrics(lambda: next(states))
    with metrics.served(("127.0.0.1", 0)) as port:
        first, second = (
            parsed(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text)
            for _ in range(2)
        )
    names = ("bgblur_workers", "bgblur_workers_busy", "bgblur_queue_photos")
    assert [first[name,] for name in names] == [2, 1, 3]
    assert [second[name,] for name in names] == [1, 0, 0]
