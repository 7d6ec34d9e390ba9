"""Large results are stored, and the time of each step is measured."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.clocks import START
from tests.unit.service.conftest import OPTIONS, REQUEST, RecordingResultStore, photo, run

from blur.image_requests import BlurRequest
from blur.service import STEPS, ImageService
from blur.storage.large_results import Results
from blur.storage.ports import Link
from blur.timing import TOTAL

if TYPE_CHECKING:
    from blur.accounts.keys import ApiKey


def test_a_large_result_is_stored_with_the_extension_of_its_format(
    service: ImageService, result_store: RecordingResultStore, key: ApiKey
) -> None:
    small = replace(
        service, results=Results(store=result_store, max_inline_bytes=1, new_name=lambda: "name")
    )
    request = BlurRequest(photo(), replace(OPTIONS, mode="cutout", output="webp"))
    result = run(small, key, lambda: request, left_ms=28_000)
    stored = ("results/name", result.output.image.data, "image/webp", "cutout.webp", START)
    assert result_store.stored == [stored]
    assert result.link == Link("https://bucket.example/results/name", START + 900_000_000)


def test_the_total_time_is_the_sum_of_all_steps_and_the_time_before_the_first_step(
    service: ImageService, key: ApiKey
) -> None:
    now_ms = itertools.count()

    class SlowResultStore(RecordingResultStore):
        def put(self, name: str, data: bytes, **described: Any) -> Link:  # noqa: ANN401 - any arguments of `put`
            for _ in range(500):
                next(now_ms)
            return super().put(name, data, **described)

    slow = replace(
        service,
        ticks=lambda: next(now_ms) * 1_000_000,
        results=Results(store=SlowResultStore(), max_inline_bytes=1, new_name=lambda: "name"),
    )
    durations_ms = run(slow, key, lambda: REQUEST, left_ms=28_000).durations_ms
    assert tuple(durations_ms) == (*STEPS, TOTAL)
    assert durations_ms["store"] == 501
    steps_ms = sum(durations_ms[step] for step in STEPS)
    assert durations_ms[TOTAL] == steps_ms + 1  # the time from the start to the first step
