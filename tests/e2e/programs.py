"""Starts programs for a test run; all programs stop when the run ends or is terminated."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import IO

START_S = 120
SIGNAL_S = 15
STOP_S = 60

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Make the first termination signal raise an exception, as Ctrl-C does.

    Later signals are ignored, because they would interrupt the clean-up.
    """
    before = {number: signal.signal(number, _unwind_once) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def started(
    command: list[str],
    *,
    folder: Path,
    log: Path,
    until: Callable[[], bool],
    environ: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a program in `folder` until the context ends; first wait until `until` is true.

    Raises:
        RuntimeError: the program is not ready in time; the message has the end of the log.

    """
    with (
        log.open("w") as errors,
        _program(command, folder, environ or {}, errors, errors) as process,
    ):
        try:
            _wait(process, until, log)
            yield
        finally:
            process.terminate()  # only this process: dockerd itself stops containerd


def ran(
    command: list[str], *, folder: Path, log: Path, environ: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a program in `folder` to its end; return its exit code and its output.

    The program's standard error goes to `log`. The docstring of `background` describes how the
    program is stopped.
    """
    with background(command, folder=folder, log=log, environ=environ) as end:
        return end()


@contextlib.contextmanager
def background(
    command: list[str], *, folder: Path, log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Callable[[], tuple[int, str]]]:
    """Run a program in the background; yield a function that waits for the program.

    The function returns the program's exit code and output.

    If this process is terminated, it first stops the program and lets the program clean up;
    `subprocess.run` would kill the program at once. The program gets SIGINT, as from Ctrl-C: after
    SIGINT, `sam local invoke` removes its container; after SIGTERM, it does not. If the program
    continues, it then gets SIGTERM: during a build step, `sam build` stops only after SIGTERM.
    """
    out = log.with_suffix(".out")
    with (
        log.open("w") as errors,
        out.open("w") as printed,
        _program(command, folder, environ or {}, printed, errors) as process,
    ):

        def end() -> tuple[int, str]:
            return process.wait(), out.read_text()

        try:
            yield end
        finally:
            _end_all(process)


@contextlib.contextmanager
def _program(
    command: list[str], folder: Path, environ: Mapping[str, str], out: IO[str], err: IO[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program. At the end of the block, wait for it, and kill it after `STOP_S`.

    The program gets a separate session, so that Ctrl-C reaches only the test run, which then stops
    its programs one after another.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """Terminate a program and its children; a shell does not exit until its children have ended."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if process.poll() is None:
            os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SIGNAL_S)


def _wait(process: subprocess.Popen[bytes], until: Callable[[], bool], log: Path) -> None:
    latest = time.monotonic() + START_S
    while not until():
        if process.poll() is not None or time.monotonic() > latest:
            message = f"{log.stem} did not start:\n{log.read_text()[-4000:]}"
            raise RuntimeError(message)
        time.sleep(0.2)


def _unwind_once(_: int, frame: FrameType | None) -> None:
    del frame
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
