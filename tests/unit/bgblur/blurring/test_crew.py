from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bgblur.blurring import report
from bgblur.blurring.crew import NOT_BEGUN, Crew, Job, Outcome
from bgblur.blurring.engines import Engine, Failure, Made, Photo, Tell
from bgblur.blurring.paths import Task

MADE = Made(b"picture", "image/png")


def jobs(folder: Path, count: int) -> list[Job]:
    return [
        Job(Task(folder / f"{number}.jpg", folder / f"{number}.png"), b"%d" % number)
        for number in range(count)
    ]


def carry_out(
    engine: Engine,
    todo: list[Job],
    *,
    size: int = 1,
    stop: threading.Event | None = None,
    force: bool = False,
) -> list[Outcome]:
    crew = Crew(engine, size, stop or threading.Event(), force=force)
    return [outcome for outcome in crew.outcomes(todo) if outcome]


def codes(outcomes: list[Outcome]) -> list[str]:
    return [
        outcome.result.code if isinstance(outcome.result, Failure) else "made"
        for outcome in outcomes
    ]


def test_as_many_photos_are_at_work_as_the_crew_has_hands(tmp_path: Path) -> None:
    at_once = threading.Barrier(3, timeout=10)

    def engine(_photo: Photo, _tell: Tell) -> Made:
        at_once.wait()  # passes only where three wait together
        return MADE

    assert codes(carry_out(engine, jobs(tmp_path, 6), size=3)) == ["made"] * 6


def test_one_photo_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    errors = {
        b"0": Failure("invalid_image", "no image"),
        b"1": PermissionError(13, "denied"),
        b"2": ZeroDivisionError("a fault"),
    }

    def engine(photo: Photo, _tell: Tell) -> Made:
        assert isinstance(photo, bytes)
        if photo in errors:
            raise errors[photo]
        return MADE

    outcomes = carry_out(engine, jobs(tmp_path, 4))
    assert codes(outcomes) == ["invalid_image", "unreadable", "internal_error", "made"]


def test_what_would_fail_for_every_photo_is_not_tried_with_each(tmp_path: Path) -> None:
    def engine(_photo: Photo, _tell: Tell) -> Made:
        code = "insufficient_credits"
        raise Failure(code, "no credits")

    outcomes = carry_out(engine, jobs(tmp_path, 3))
    assert codes(outcomes) == ["insufficient_credits", "not_begun", "not_begun"]
    assert report.summary(outcomes, 1.0) == "0 blurred in 1.0 s, 1 failed, 2 not begun"


def test_a_result_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "0.png").touch()
    assert codes(carry_out(lambda *_: MADE, jobs(tmp_path, 2))) == ["exists", "made"]
    assert codes(carry_out(lambda *_: MADE, jobs(tmp_path, 2), force=True)) == ["made", "made"]


def test_stopping_ends_what_is_at_work_at_its_next_step_and_begins_nothing(tmp_path: Path) -> None:
    stop = threading.Event()

    def engine(_photo: Photo, tell: Tell) -> Made:
        stop.set()
        tell("blurring", 0.5)
        return MADE

    outcomes = carry_out(engine, jobs(tmp_path, 3), stop=stop)
    assert codes(outcomes) == ["interrupted", "not_begun", "not_begun"]
    assert outcomes[1].result is NOT_BEGUN


def test_how_far_a_photo_is_can_be_seen_meanwhile(tmp_path: Path) -> None:
    def engine(_photo: Photo, tell: Tell) -> Made:
        tell("blurring", 0.5)
        time.sleep(0.5)
        return MADE

    crew = Crew(engine, 1, threading.Event(), force=False)
    seen = {
        (job.step, job.done)
        for outcome in crew.outcomes(jobs(tmp_path, 1))
        if outcome is None
        for job in crew.running
    }
    assert seen == {("blurring", 0.5)}


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (7_100_000, "7.1 MB")]
)
def test_sizes_are_told_as_people_read_them(count: int, text: str) -> None:
    assert report.size(count) == text
