"""The thread that removes expired uploads."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from bgblur.serving.sweep_loop import sweeping
from blur.errors import UnavailableError
from blur.storage.folder import FolderStore

if TYPE_CHECKING:
    import pytest

WAIT_S = 30


class Folder(FolderStore):
    """A folder where the first two attempts to remove expired files fail."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.sweeps = 0
        self.third = threading.Event()

    def sweep(self, *, now_us: int) -> None:
        assert now_us > 0
        self.sweeps += 1
        if self.sweeps == 1:
            message = "no folder"
            raise UnavailableError(message) from OSError("gone")
        if self.sweeps == 2:
            raise ZeroDivisionError
        if self.sweeps == 3:
            self.third.set()


def test_a_failed_removal_of_expired_files_is_logged_and_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = Folder()
    with caplog.at_level(logging.WARNING), sweeping([folder], every_s=0.01):
        assert folder.third.wait(WAIT_S)
    assert [record.message for record in caplog.records] == [
        "expired files cannot be removed: gone",
        "expired files cannot be removed",
    ]


def test_the_sweep_loop_stops_with_the_server_and_does_not_run_without_a_folder() -> None:
    folder = Folder()
    before = set(threading.enumerate())
    with sweeping([folder], every_s=3600):
        pass
    for thread in set(threading.enumerate()) - before:
        thread.join(WAIT_S)
        assert not thread.is_alive()
    with sweeping([]):
        assert set(threading.enumerate()) <= before
