"""The progress bar of a job, and durations as text."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from tests.unit.bgblur.blurring.test_progress import Terminal

from bgblur.jobs.progress import JobDisplay
from bgblur.live_bars import duration


@pytest.fixture(autouse=True)
def _term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def test_the_bar_leaves_the_last_two_columns_free_for_the_echo_of_ctrl_c() -> None:
    terminal = Terminal(width=60)
    with JobDisplay(terminal.console) as display:
        display.update("Uploading", 3, 10, "x" * 99)
        display.print("Error: a.jpg", style="red")
        (row,) = [line for line in terminal.lines() if line.startswith("Uploading")]
    assert row.startswith("Uploading 3 of 10")
    assert len(row) <= 60 - len("^C")


def test_without_a_terminal_lines_are_printed_but_no_progress_bar() -> None:
    pipe = io.StringIO()
    with JobDisplay(Console(file=pipe)) as display:
        display.update("Uploading", 3, 10)
        display.print("Error: evil\x1b[2J.jpg", style="red")
    assert pipe.getvalue() == "Error: evil?[2J.jpg\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7320, "2 h 2 min")],
)
def test_a_duration_is_written_in_seconds_or_in_its_two_largest_units(
    seconds: float, text: str
) -> None:
    assert duration(seconds) == text
