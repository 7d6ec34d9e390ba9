from __future__ import annotations

from blur.stopwatch import Stopwatch


def test_each_step_lasts_until_the_next_and_the_last_until_now() -> None:
    ticks = iter([0, 1_000_000, 3_500_000, 10_000_000, 20_000_000])
    watch = Stopwatch(lambda: next(ticks))
    watch.step("decode")
    watch.step("matte")
    assert watch.durations_ms() == {"decode": 2.5, "matte": 6.5, "total": 10}
    assert watch.durations_ms()["total"] == 20


def test_without_steps_there_is_the_whole() -> None:
    ticks = iter([5_000_000, 6_000_000])
    assert Stopwatch(lambda: next(ticks)).durations_ms() == {"total": 1}
