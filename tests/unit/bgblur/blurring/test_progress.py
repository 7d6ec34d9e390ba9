from __future__ import annotations

import io
from pathlib import Path

import pytest

from bgblur.blurring.crew import Job
from bgblur.blurring.paths import Task
from bgblur.blurring.progress import Display, cells, cut


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, and forgets what is cleared as one does."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return True

    def written(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)

    def shown(self) -> list[str]:
        lines: list[str] = []
        for line in self.written().split("\n"):
            rest = line
            while rest.startswith("\x1b["):
                code, rest = rest[2:].split("A\x1b[J", 1)
                del lines[len(lines) - int(code) :]
            lines.append(rest)
        return lines[:-1]


@pytest.fixture(autouse=True)
def size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")


def job(name: str = "photo.jpg", done: float = 0.5, step: str = "blurring") -> Job:
    return Job(Task(Path(name), Path("out.png")), b"", step, done)


def test_bars_are_drawn_over_the_last_ones_and_below_the_lines_that_stay() -> None:
    terminal = Terminal()
    display = Display(terminal, 3, clock=lambda: 0.0)
    display.draw([job("a.jpg"), job("b.jpg")], 0)
    display.say("a.jpg is done")
    display.draw([job("b.jpg", 1.0)], 1)
    stays, photo, overall = terminal.shown()
    assert stays == "a.jpg is done"
    assert photo.split() == ["b.jpg", "━" * 20, "100%", "blurring"]
    assert overall.startswith("1 of 3")
    display.clear()
    assert terminal.shown() == ["a.jpg is done"]


def test_the_time_that_is_left_follows_from_the_time_that_was_spent() -> None:
    terminal, now = Terminal(), iter([0.0, 30.0])
    Display(terminal, 4, clock=lambda: next(now)).draw([], 1)
    assert terminal.shown()[-1].endswith("25%  about 1 min 30 s left")


def test_one_photo_has_no_second_bar() -> None:
    terminal = Terminal()
    Display(terminal, 1).draw([job()], 0)
    assert len(terminal.shown()) == 1


def test_a_terminal_without_the_letters_gets_others() -> None:
    terminal = Terminal("ascii")
    Display(terminal, 1).draw([job()], 0)
    assert "##########.........." in terminal.shown()[0]


def test_elsewhere_than_on_a_terminal_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, dumb = io.StringIO(), Terminal()
    monkeypatch.setenv("TERM", "dumb")
    for stream in (pipe, dumb):
        Display(stream, 2).draw([job()], 0)
    assert (pipe.getvalue(), dumb.written()) == ("", "")


def test_no_row_is_wider_or_higher_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "6")
    terminal = Terminal()
    jobs = [job("夏の写真" * 20, step="again in 9 s: " + "x" * 99) for _ in range(20)]
    Display(terminal, 99).draw(jobs, 0)
    assert len(terminal.shown()) == 5
    assert all(cells(row) < 40 for row in terminal.shown())


def test_a_name_cannot_command_the_terminal() -> None:
    terminal = Terminal()
    display = Display(terminal, 1)
    display.say("evil\x1b[2J\n\udcff.jpg")
    display.draw([job("evil\x1b[2J\n\udcff.jpg")], 0)
    assert terminal.written().startswith("evil?[2J??.jpg\nevil?[2J??.jpg ")
    assert len(terminal.shown()) == 2


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("夏", 2), ("e\u0301", 1), ("", 0)])
def test_letters_are_as_wide_as_a_terminal_draws_them(text: str, width: int) -> None:
    assert cells(text) == width
    assert cut(text, width) == text
