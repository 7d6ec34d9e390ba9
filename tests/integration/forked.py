"""Runs `bgblur` in forks of one process that has already imported the commands.

Starting Python and importing the modules take most of the CPU time of a short command. A fork has
its own environment, current folder, standard streams and exit code, as a new process has. Use
`running.BGBLUR` instead to test the start of the program, `bgblur serve`, or a variable that Python
reads at its start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from multiprocessing import get_context
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        *("bgblur.account_commands", "bgblur.blurring.command", "bgblur.cli"),
        *("bgblur.key_commands", "bgblur.usage_commands"),
        *("blur.accounts.sqlite.account_store", "rich.console", "rich.table", "rich.text"),
    ]
)
LONG_TIMEOUT_S = 60


def run_bgblur(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], answer: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command that reads `answer` from standard input; return its output and exit code."""
    with ExitStack() as stack:
        streams = [stack.enter_context(NamedTemporaryFile()) for _ in range(3)]
        streams[0].write(answer.encode())
        streams[0].flush()
        names = [stream.name for stream in streams]
        process = CONTEXT.Process(target=_run, args=(arguments, cwd, dict(env), names))
        process.start()
        try:
            process.join(LONG_TIMEOUT_S)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(list(arguments), LONG_TIMEOUT_S)
        finally:
            process.kill()
            process.join()
        out, err = (stream.read().decode() for stream in streams[1:])
        return subprocess.CompletedProcess(list(arguments), process.exitcode, out, err)


def _run(arguments: Sequence[str], cwd: Path, env: dict[str, str], streams: list[str]) -> None:
    """Run the command in the fork."""
    from bgblur.cli import main  # noqa: PLC0415 - the process of the tests does not need it

    for number, name in enumerate(streams):
        os.dup2(os.open(name, os.O_RDWR), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - multiprocessing has closed the old one
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    main(list(arguments), prog_name="python -m bgblur")
