"""The thread that runs the keeper, the program that resumes, ends and announces jobs."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from bgblur.serving.keeper_loop import keeping
from blur.errors import UnavailableError

if TYPE_CHECKING:
    import pytest

WAIT_S = 30


def test_the_keeper_runs_again_after_a_failure_and_an_outage_of_the_store_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs: list[int] = []
    done = threading.Event()

    def run() -> None:
        runs.append(1)
        if len(runs) < 4:
            message = "locked"
            raise UnavailableError(message) from OSError("locked")
        if len(runs) == 4:
            raise ZeroDivisionError
        done.set()

    with caplog.at_level(logging.WARNING), keeping(run, every_s=0.001):
        assert done.wait(WAIT_S)
    assert [record.message for record in caplog.records] == [
        "the jobs cannot be read: locked",
        "the keeper, which resumes and ends jobs, has failed",
    ]


def test_the_keeper_stops_with_the_server_and_a_server_without_jobs_has_no_keeper() -> None:
    before = set(threading.enumerate())
    with keeping(lambda: None, every_s=3600):
        assert set(threading.enumerate()) - before
    for thread in set(threading.enumerate()) - before:
        thread.join(WAIT_S)
        assert not thread.is_alive()
    with keeping(None):
        assert set(threading.enumerate()) <= before
