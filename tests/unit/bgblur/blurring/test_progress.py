from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from bgblur.blurring.backends import STEPS
from bgblur.blurring.batch import TaskRun
from bgblur.blurring.paths import Task
from bgblur.blurring.progress import Display
from blur.imaging import blur_options


class Terminal:
    """A console that acts as a terminal and keeps the lines that were drawn on it."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self._stream = io.StringIO()
        self.console = Console(
            file=self._stream,
            force_terminal=True,
            width=width,
            height=height,
            color_system=None,
            legacy_windows=False,
        )

    def lines(self) -> list[str]:
        """Return the lines that were drawn last, without cursor codes, and empty the stream."""
        text = self._stream.getvalue()
        self._stream.seek(0)
        self._stream.truncate()
        last = text.split("\x1b[2K")[-1] if "\x1b[1A" not in text else text.rsplit("\x1b[1A", 1)[-1]
        return [line.rstrip() for line in last.removeprefix("\x1b[2K").splitlines() if line.strip()]


@pytest.fixture(autouse=True)
def _term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def run(name: str = "photo.jpg", done: float = 0.5, step: str = "blurring") -> TaskRun:
    return TaskRun(Task(Path(name), Path("out.png")), b"", step, done)


def drawn(display: Display, terminal: Terminal, running: list[TaskRun], finished: int) -> list[str]:
    """Update the display twice in the same way, and return the lines of the second update."""
    display.update(running, finished)
    terminal.lines()
    display.update(running, finished)
    return terminal.lines()


def test_each_running_photo_has_a_bar_above_the_overall_bar(terminal: Terminal) -> None:
    with Display(terminal.console, 3, clock=lambda: 0.0) as display:
        a, b, overall = drawn(display, terminal, [run("a.jpg"), run("b.jpg", 1.0)], 1)
    assert a.split()[0] == "a.jpg"
    assert a.split()[-2:] == ["50%", "blurring"]
    assert b.split()[-2:] == ["100%", "blurring"]
    assert overall.startswith("1 of 3")
    assert "33%" in overall


def test_the_overall_bar_does_not_move_while_a_photo_is_processed(terminal: Terminal) -> None:
    with Display(terminal.console, 4, clock=lambda: 0.0) as display:
        shown = [drawn(display, terminal, [run("a.jpg", done)], 0)[-1] for done in (0.1, 0.5, 0.9)]
    assert len(set(shown)) == 1
    assert "0%" in shown[0]


def test_the_bar_of_a_finished_photo_disappears(terminal: Terminal) -> None:
    a, b = run("a.jpg"), run("b.jpg")
    with Display(terminal.console, 3, clock=lambda: 0.0) as display:
        drawn(display, terminal, [a, b], 0)
        rows = drawn(display, terminal, [b], 1)
    assert [row.split()[0] for row in rows] == ["b.jpg", "1"]


def test_the_remaining_time_is_estimated_from_finished_photos(terminal: Terminal) -> None:
    times = iter([0.0, *[30.0] * 9])
    with Display(terminal.console, 4, clock=lambda: next(times)) as display:
        assert drawn(display, terminal, [], 1)[-1].endswith("about 1 min 30 s left")


def test_skipped_photos_do_not_shorten_the_estimated_remaining_time(terminal: Terminal) -> None:
    times = iter([0.0, *[30.0] * 9])
    with Display(terminal.console, 10, clock=lambda: next(times)) as display:
        display.update([], 7, skipped=7)
        assert "left" not in " ".join(terminal.lines())
        display.update([], 8, skipped=7)
        assert terminal.lines()[-1].endswith("about 1 min 0 s left")


def test_the_colour_of_a_printed_line_does_not_change_the_bars_below_it() -> None:
    drawing = io.StringIO()
    console = Console(file=drawing, force_terminal=True, width=80, legacy_windows=False)
    with Display(console, 2) as display:
        display.update([run()], 0)
        drawing.truncate(0)
        display.print("Error: a.jpg", style="red")
    line, bars = drawing.getvalue().split("Error: a.jpg", 1)
    assert line.endswith("\x1b[31m")
    assert "\x1b[31m" not in bars


def test_a_narrow_terminal_still_shows_the_step() -> None:
    terminal = Terminal(width=48)
    with Display(terminal.console, 1) as display:
        assert "blurring" in drawn(display, terminal, [run()], 0)[0]


def test_for_a_single_photo_no_bar_for_all_photos_is_drawn(terminal: Terminal) -> None:
    with Display(terminal.console, 1) as display:
        assert len(drawn(display, terminal, [run()], 0)) == 1


def test_without_a_terminal_lines_are_printed_but_no_progress_bars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe, dumb = io.StringIO(), io.StringIO()
    consoles = [Console(file=pipe)]
    monkeypatch.setenv("TERM", "dumb")
    consoles.append(Console(file=dumb, force_terminal=True))
    for console in consoles:
        with Display(console, 2) as display:
            display.update([run()], 0)
            display.print("Error: a.jpg", style="red")
    assert pipe.getvalue() == "Error: a.jpg\n"
    assert "━" not in dumb.getvalue()


def test_the_bars_are_not_wider_or_higher_than_the_terminal() -> None:
    terminal = Terminal(width=60, height=6)
    runs = [run("夏の写真" * 20, step="trying again in 9 s: " + "x" * 99) for _ in range(20)]
    with Display(terminal.console, 99) as display:
        rows = drawn(display, terminal, runs, 0)
    assert 1 < len(rows) <= 6
    assert all(len(row) <= 60 for row in rows)


def test_each_line_of_the_display_leaves_the_last_two_columns_free_for_the_echo_of_ctrl_c() -> None:
    terminal = Terminal(width=80)
    with Display(terminal.console, 2) as display:
        rows = drawn(display, terminal, [run("n" * 60, step="x" * 99)], 1)
    assert all(len(row) <= 80 - len("^C") for row in rows)


def test_a_file_name_cannot_control_the_terminal(terminal: Terminal) -> None:
    evil = "evil\x1b[2J\n[red]\udcff.jpg"
    with Display(terminal.console, 1) as display:
        display.print(evil)
        assert terminal.lines()[-1] == "evil?[2J?[red]?.jpg"
        [row] = drawn(display, terminal, [run(evil)], 0)
    assert row.startswith("evil?[2J?[red]?.jpg")


def test_every_imaging_step_has_a_label_and_no_step_moves_the_bar_backwards() -> None:
    assert tuple(STEPS) == blur_options.STEPS
    shares = [share for _, share in STEPS.values()]
    assert shares == sorted(shares)
