"""The commands on a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.documents import ROOT

from .running import BGBLUR, environment

RED = "\x1b[31m"
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Shown:
    """The output on a terminal, and the exit code."""

    raw: str
    code: int

    @property
    def lines(self) -> list[str]:
        """The lines of the output, without colours."""
        return [line.rstrip() for line in CODES.sub("", self.raw).splitlines()]


Terminal = Callable[..., Shown]


@pytest.fixture
def terminal(tmp_path: Path, model_dir: Path) -> Terminal:
    """Return a function that runs `bgblur` with some arguments on a pseudo-terminal."""
    env = {**environment(tmp_path, model_dir), "TERM": "xterm-256color"}
    env = {name: value for name, value in env.items() if name not in {"NO_COLOR", "COLUMNS"}}

    def run(*arguments: str, columns: int = 80, interrupt_at: str = "", **more: str) -> Shown:
        controller, stream = pty.openpty()
        fcntl.ioctl(stream, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        # Commands that a shell starts in the background, and their children, ignore Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [*BGBLUR, *arguments],
            cwd=tmp_path,
            env={**env, **more},
            stdin=stream,
            stdout=stream,
            stderr=stream,
        )
        signal.signal(signal.SIGINT, before)
        os.close(stream)
        shown = ""
        while data := _read(controller):
            shown += data.decode("utf-8", "replace")
            if interrupt_at and interrupt_at in shown:
                process.send_signal(signal.SIGINT)
                interrupt_at = ""
        os.close(controller)
        return Shown(shown, process.wait(timeout=60))

    return run


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65_536)
    except OSError:  # the program has closed its end of the pseudo-terminal
        return b""


@pytest.mark.parametrize(
    "arguments",
    [("accounts", "list"), ("blurr",), ("blur", "photo.jpg"), ("serve", "--port", "x")],
    ids=" ".join,
)
def test_error_message_is_red_on_a_terminal_unless_no_color_is_set(
    arguments: tuple[str, ...], terminal: Terminal, tmp_path: Path
) -> None:
    missing = {"BLUR_ACCOUNTS": f"sqlite:{tmp_path / 'none.db'}"}
    shown = terminal(*arguments, **missing)
    assert shown.code in {1, 2}
    assert f"{RED}Error: " in shown.raw
    assert RED not in terminal(*arguments, NO_COLOR="1", **missing).raw


def test_a_table_wider_than_the_terminal_is_printed_as_one_line_for_each_field(
    terminal: Terminal,
) -> None:
    issued = terminal("keys", "issue", "--credits", "5", columns=60)
    [key] = re.findall(r"^key +(bb_live_\w{62})$", "\n".join(issued.lines), re.MULTILINE)
    prefix = key[:25]
    wide = terminal("keys", "list", columns=120).lines
    assert wide[0].split()[0] == "prefix"
    assert wide[1].startswith(prefix)
    narrow = terminal("keys", "list", columns=60).lines
    assert narrow[0].split() == ["prefix", prefix]
    assert ["balance", "5"] in [line.split() for line in narrow]
    assert max(map(len, narrow)) <= 60
    accounts = terminal("accounts", "list", columns=60).lines
    assert any(re.fullmatch(r"created +\S+T\S+Z", line) for line in accounts)


def test_batch_that_runs_after_an_interrupted_batch_skips_the_finished_photos(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "album").mkdir()
    for name in "abc":
        shutil.copy(ROOT / "site" / "sample.jpg", tmp_path / "album" / f"{name}.jpg")
    command = ("blur", "album", "-r", "5", "-o", "new", "--jobs", "1")
    first = terminal(*command, interrupt_at="1 of 3")
    assert first.code == 130
    assert "not started" in first.lines[-1]
    assert "3 of 3" not in first.raw
    again = terminal(*command)
    assert again.code == 0
    assert re.search(r"\d skipped$", again.lines[-1])
    assert len(list((tmp_path / "new").iterdir())) == 3
