"""A call stops between two steps, before Lambda would stop it during a step."""

from __future__ import annotations

import io
import itertools
from contextlib import nullcontext as does_not_raise

import pytest
from PIL import Image
from tests.unit.imaging.predictors import DiscPredictor

from blur.accounts.model import Instant
from blur.errors import UnavailableError
from blur.imaging.blur_options import STEPS, BlurOptions
from blur.imaging.pipeline import blur_photo
from blur.timing import Deadline, Stopwatch, before_timeout

START = Instant(1_000_000_000)


def test_a_call_stops_at_its_first_check_in_the_last_seconds_before_the_timeout() -> None:
    deadline = before_timeout(lambda: START, left_ms=28_000, margin_s=5)
    assert deadline.at_us == START + 23_000_000
    Deadline(deadline.at_us, lambda: Instant(START + 22_999_999)).check()
    late = Deadline(deadline.at_us, lambda: Instant(START + 23_000_000))
    with pytest.raises(UnavailableError, match="did not finish the photo in time") as caught:
        late.check()
    assert caught.value.retry_after_s == 1


def test_a_call_stops_at_once_if_less_time_is_left_than_the_safety_margin() -> None:
    with pytest.raises(UnavailableError):
        before_timeout(lambda: START, left_ms=3000, margin_s=5).check()


def test_with_a_safety_margin_of_0_seconds_there_is_no_deadline() -> None:
    deadline = before_timeout(lambda: START, left_ms=0, margin_s=0)
    with does_not_raise():
        Deadline(deadline.at_us, lambda: Instant(START * 1000)).check()


@pytest.mark.parametrize("steps", range(len(STEPS)))
def test_no_step_of_a_photo_starts_after_the_deadline(
    steps: int,
) -> None:
    ticks = itertools.count()
    deadline = Deadline(Instant(steps), lambda: Instant(next(ticks)))
    with pytest.raises(UnavailableError):
        blur_photo(
            photo(),
            BlurOptions(radius_px=3),
            model=DiscPredictor(),
            max_pixels=10_000,
            on_step=lambda _: deadline.check(),
        )
    assert next(ticks) == steps + 1


def photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_step_ends_when_the_next_step_starts_or_when_the_durations_are_read() -> None:
    ticks = iter([0, 1_000_000, 3_500_000, 10_000_000, 20_000_000])
    watch = Stopwatch(lambda: next(ticks))
    watch.step("decode")
    watch.step("matte")
    assert watch.durations_ms() == {"decode": 2.5, "matte": 6.5, "total": 10}
    assert watch.durations_ms()["total"] == 20


def test_a_stopwatch_without_steps_reports_only_the_total_time() -> None:
    ticks = iter([5_000_000, 6_000_000])
    assert Stopwatch(lambda: next(ticks)).durations_ms() == {"total": 1}
