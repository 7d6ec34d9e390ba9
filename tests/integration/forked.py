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
        *("blur.imaging.matting.session", "blur.imaging.pipeline", "blur_client"),
    ]
)
LONG_TIMEOUT_S = 60


def run_bgblur(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], answer: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command that reads `answer` from standard input; return its output and exit code."""
    done = fork_bgblur(arguments, cwd=cwd, env=env, stdin=answer.encode())
    output = (done.stdout.decode(), done.stderr.decode())
    return subprocess.CompletedProcess(done.args, done.returncode, *output)


def fork_bgblur(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a command that reads bytes from standard input and writes bytes."""
    with ExitStack() as stack:
        streams = [stack.enter_context(NamedTemporaryFile()) for _ in range(3)]
        streams[0].write(stdin)
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
        out, err = (stream.read() for stream in streams[1:])
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
