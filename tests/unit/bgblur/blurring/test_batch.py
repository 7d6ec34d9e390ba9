from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from bgblur.blurring import report
from bgblur.blurring.backends import Backend, BlurredFile, Failure, Photo, ProgressCallback
from bgblur.blurring.batch import (
    NOT_STARTED,
    BatchRunner,
    Skipped,
    TaskOutcome,
    TaskRun,
    unwritable,
)
from bgblur.blurring.paths import Task

RESULT = BlurredFile(b"picture", "image/png")


def runs(folder: Path, count: int) -> list[TaskRun]:
    return [
        TaskRun(Task(folder / f"{number}.jpg", folder / f"{number}.png"), b"%d" % number)
        for number in range(count)
    ]


def run(
    backend: Backend,
    todo: list[TaskRun],
    *,
    size: int = 1,
    stop: threading.Event | None = None,
    overwrite: bool = False,
) -> list[TaskOutcome]:
    runner = BatchRunner(backend, size, stop or threading.Event(), overwrite=overwrite)
    return [outcome for outcome in runner.outcomes(todo) if outcome]


def codes(outcomes: list[TaskOutcome]) -> list[str]:
    """Return the code of each failure, and `done` or `skipped` for the other outcomes."""
    names = {BlurredFile: "done", Skipped: "skipped"}
    results = [outcome.result for outcome in outcomes]
    return [each.code if isinstance(each, Failure) else names[type(each)] for each in results]


def test_as_many_photos_as_threads_are_processed_at_the_same_time(tmp_path: Path) -> None:
    at_once = threading.Barrier(3, timeout=10)

    def backend(_photo: Photo, _format: str, _progress: ProgressCallback) -> BlurredFile:
        at_once.wait()  # continues only when three threads wait at the same time
        return RESULT

    assert codes(run(backend, runs(tmp_path, 6), size=3)) == ["done"] * 6


def test_a_photo_that_fails_does_not_stop_the_other_photos(tmp_path: Path) -> None:
    errors = {
        b"0": Failure("invalid_image", "no image"),
        b"1": PermissionError(13, "denied"),
        b"2": ZeroDivisionError("a fault"),
    }

    def backend(photo: Photo, _format: str, _progress: ProgressCallback) -> BlurredFile:
        assert isinstance(photo, bytes)
        if photo in errors:
            raise errors[photo]
        return RESULT

    outcomes = run(backend, runs(tmp_path, 4))
    assert codes(outcomes) == ["invalid_image", "unreadable", "internal_error", "done"]


def test_a_fatal_error_stops_the_batch(tmp_path: Path) -> None:
    def backend(_photo: Photo, _format: str, _progress: ProgressCallback) -> BlurredFile:
        code = "insufficient_credits"
        raise Failure(code, "no credits")

    outcomes = run(backend, runs(tmp_path, 3))
    assert codes(outcomes) == ["insufficient_credits", "not_begun", "not_begun"]
    assert report.summary(outcomes, 1.0) == "0 blurred in 1.0 s, 1 failed, 2 not started"


def test_a_photo_whose_result_exists_is_skipped_unless_overwrite_is_set(tmp_path: Path) -> None:
    (tmp_path / "0.png").touch()
    assert codes(run(lambda *_: RESULT, runs(tmp_path, 2))) == ["skipped", "done"]
    assert codes(run(lambda *_: RESULT, runs(tmp_path, 2), overwrite=True)) == ["done", "done"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "target", [f"{300 * 'a'}.png", f"new/{300 * 'a'}.png", f"new/{300 * 'a'}/b/c.png"]
)
def test_a_photo_whose_result_has_a_name_that_is_too_long_fails_before_it_is_processed(
    target: str, tmp_path: Path, *, overwrite: bool
) -> None:
    target = str(tmp_path / target)
    task = Task(tmp_path / "0.jpg", Path(target))
    processed: list[Photo] = []

    def backend(photo: Photo, _output: str, _progress: ProgressCallback) -> BlurredFile:
        processed.append(photo)
        return RESULT

    [outcome] = run(backend, [TaskRun(task, b"photo")], overwrite=overwrite)
    assert isinstance(outcome.result, Failure)
    assert outcome.result.code == "unwritable"
    assert target in outcome.result.message
    assert processed == []


def test_a_stop_interrupts_each_running_photo_at_its_next_step_and_no_other_photo_is_started(
    tmp_path: Path,
) -> None:
    stop = threading.Event()

    def backend(_photo: Photo, _format: str, progress: ProgressCallback) -> BlurredFile:
        stop.set()
        progress("blurring", 0.5)
        return RESULT

    outcomes = run(backend, runs(tmp_path, 3), stop=stop)
    assert codes(outcomes) == ["interrupted", "not_begun", "not_begun"]
    assert outcomes[1].result is NOT_STARTED
    assert report.summary(outcomes, 1.0) == "0 blurred in 1.0 s, 1 interrupted, 2 not started"


def test_the_progress_of_a_running_photo_can_be_read(tmp_path: Path) -> None:
    def backend(_photo: Photo, _format: str, progress: ProgressCallback) -> BlurredFile:
        progress("blurring", 0.5)
        started.set()
        assert seen.wait(timeout=60)
        return RESULT

    started, seen = threading.Event(), threading.Event()
    runner = BatchRunner(backend, 1, threading.Event(), overwrite=False)
    for outcome in runner.outcomes(runs(tmp_path, 1)):
        if outcome is None and started.is_set() and not seen.is_set():
            [run] = runner.running
            assert (run.step, run.done) == ("blurring", 0.5)
            seen.set()
    assert seen.is_set()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1500, "1.5 kB"),
        (999_600, "1 MB"),
        (7_100_000, "7.1 MB"),
    ],
)
def test_sizes_are_shown_in_bytes_or_kilobytes_or_megabytes(count: int, text: str) -> None:
    assert report.format_size(count) == text


@pytest.mark.parametrize(
    ("charged", "left", "text"),
    [
        ((0.25, 1, 0.25), (9.75, 8.75, 8.5), "1.5 credits charged, 8.5 left"),
        ((0.25, 0.25, 0.5), (9.75, 9.5, 9), "1 credit charged, 9 left"),
        ((0.25, None), (1234567.25, 1234567), "0.25 credits charged, 1 charge not confirmed, "),
    ],
)
def test_a_summary_shows_decimals_only_if_credits_are_not_whole(
    tmp_path: Path, charged: tuple[float | None, ...], left: tuple[float, ...], text: str
) -> None:
    calls = [
        {"credits_charged": each, "credits_left": rest}
        for each, rest in zip(charged, left, strict=True)
    ]
    outcomes = [
        TaskOutcome(run.task, BlurredFile(b"", "image/png", call))
        for run, call in zip(runs(tmp_path, len(calls)), calls, strict=True)
    ]
    assert text in report.summary(outcomes, 2.0)


def test_a_summary_counts_the_charge_of_a_result_that_was_not_written(tmp_path: Path) -> None:
    task = Task(tmp_path / "0.jpg", tmp_path / "0.png")
    call = {"credits_charged": 1, "credits_left": 8, "request_id": "req_1"}
    failure = unwritable(task, OSError(errno.ENOSPC, "No space left on device"), call)
    outcome = TaskOutcome(task, failure)
    assert report.summary([outcome], 1.0) == "0 blurred in 1.0 s, 1 failed, 1 credit charged"
    assert report.row(outcome)["error"]["request_id"] == "req_1"


def test_a_summary_counts_the_blurred_and_the_skipped_and_the_failed_photos(tmp_path: Path) -> None:
    tasks = [run.task for run in runs(tmp_path, 3)]
    outcomes = [
        TaskOutcome(
            tasks[0], BlurredFile(b"", "image/png", {"credits_charged": 1, "credits_left": 7})
        ),
        TaskOutcome(tasks[1], Skipped()),
        TaskOutcome(tasks[2], Failure("invalid_image", "no image")),
    ]
    assert report.summary(outcomes, 2.0) == (
        "1 blurred in 2.0 s, 1 skipped, 1 failed, 1 credit charged, 7 left"
    )
    document = report.document(outcomes)
    assert (document["blurred"], document["skipped"], document["failed"]) == (1, 1, 1)
    assert document["files"][1]["skipped"] == "exists"
