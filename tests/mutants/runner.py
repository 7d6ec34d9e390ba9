"""A pytest plugin that runs, for each mutant, the tests that reach the changed code.

First the tests run with the unchanged code, to record the duration of each test and the functions
that the test calls. Then the process forks once for each mutant, and the fork runs the tests that
call the changed function, fastest first, until one fails. Session fixtures, such as a database's
server, are also available in the forks.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import pytest
from tests.mutants.inject import inject
from tests.mutants.mutation import Mutant
from tests.mutants.portions import CODE

EXTRA_TIME_S = 10
"""The time limit of a test with a mutant, in addition to three times its usual duration."""


@dataclass(eq=False)  # pytest needs hashable plugins
class MutantRunner:
    """Runs the tests for each mutant, and collects the mutants that no test detects."""

    mutants: list[Mutant]
    paths: dict[str, Path]
    """The path of each file, by `Mutant.file`."""
    survivors: list[Mutant] = field(default_factory=list)
    tried: int = 0
    is_fork: bool = False
    is_changed: bool = False
    """Whether this process is a fork to which a mutant has been applied."""

    def pytest_configure(self) -> None:
        """Configure Hypothesis before tests are collected, because tests copy the settings."""
        _configure_hypothesis()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests without a mutant, then with each mutant. This replaces pytest's loop."""
        with _silence():
            traces = [self._watched(session, item) for item in session.items]
        if session.testsfailed:
            pytest.exit("the tests fail without any mutant", returncode=1)
        traces.sort(key=lambda trace: trace.seconds)
        self._require_passing(session, traces)
        gc.freeze()  # otherwise garbage collection in a fork would copy the memory of all objects
        waiting, running = list(reversed(self.mutants)), dict[int, Mutant]()
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                mutant = waiting.pop()
                running[self._fork(session, mutant, traces)] = mutant
            self._gather(running)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """End a fork at its first failure, because the test's teardown could wait forever."""
        if report.failed and not self.is_changed:
            print(f"fails without any mutant: {report.nodeid}", file=sys.stderr)  # noqa: T201
        if report.failed and self.is_fork:
            os._exit(1)

    def _require_passing(self, session: pytest.Session, traces: list[_Trace]) -> None:
        """Run the tests in a fork without a mutant, and require that they pass."""
        if os.waitpid(self._fork(session, None, traces), 0)[1] != 0:
            pytest.exit("the tests fail in a fork without any mutant", returncode=1)

    def _watched(self, session: pytest.Session, item: pytest.Item) -> _Trace:
        names = {str(path): name for name, path in self.paths.items()}
        places: set[tuple[str, str]] = set()

        def watch(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and (name := names.get(frame.f_code.co_filename)):
                places.add((name, frame.f_code.co_qualname))

        start_s = time.perf_counter()
        threading.setprofile(watch)
        sys.setprofile(watch)
        _run(session, item)
        sys.setprofile(None)
        threading.setprofile(None)
        return _Trace(item, time.perf_counter() - start_s, places)

    def _fork(self, session: pytest.Session, mutant: Mutant | None, traces: list[_Trace]) -> int:
        """Fork a process that runs the tests with the mutant, and return the process's id."""
        pid = os.fork()
        if pid == 0:
            after = [trace for trace in traces if mutant is None or trace.reaches(mutant)]
            with contextlib.suppress(BaseException):  # a mutant can raise any error
                self._test(session, mutant, after)
            os._exit(1)
        return pid

    def _test(self, session: pytest.Session, mutant: Mutant | None, traces: list[_Trace]) -> None:
        """Run the tests and exit: with 1 at the first failure, otherwise with 0."""
        os.setsid()
        self.is_fork = True
        with _silence(), Path(os.devnull).open("w", encoding="utf-8") as null:
            if mutant is not None:
                self.is_changed = True
                file = self.paths[mutant.file].relative_to(CODE)
                inject(mutant, importlib.import_module(".".join(file.with_suffix("").parts)))
            for trace in traces:
                limit_s = EXTRA_TIME_S + 3 * trace.seconds
                # After `limit_s`, a separate thread ends the process, even if all others wait.
                faulthandler.dump_traceback_later(limit_s, exit=True, file=null)
                _run(session, trace.item)
            os._exit(0)

    def _gather(self, running: dict[int, Mutant]) -> None:
        for pid, mutant in list(running.items()):
            exited, status = os.waitpid(pid, os.WNOHANG)
            if exited:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)  # processes that the mutant's tests have started
                del running[pid]
                self.tried += 1
                if status == 0:
                    self.survivors.append(mutant)
                if self.tried % 100 == 0:
                    print(f" {self.tried}", end="", flush=True)  # noqa: T201 - shows the progress of a long run
        time.sleep(0.002)


@dataclass(frozen=True)
class _Trace:
    """A test, its duration, and the functions that it calls."""

    item: pytest.Item
    seconds: float
    places: set[tuple[str, str]]

    def reaches(self, mutant: Mutant) -> bool:
        """Return whether the test can reach the mutant.

        A constant is computed at import, so every test can reach it.
        """
        return mutant.is_constant or (mutant.file, mutant.place) in self.places


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Discard the output of the tests and of the programs that the tests start."""
    stdout, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    yield
    sys.stdout.flush()
    os.dup2(stdout, 1)
    os.close(stdout)
    os.close(null)


def _run(session: pytest.Session, item: pytest.Item) -> None:
    # With the session as the next item, pytest keeps the session fixtures and tears down all
    # other fixtures.
    session.config.hook.pytest_runtest_protocol(item=item, nextitem=session)


def _configure_hypothesis() -> None:
    """Use the same random examples for all mutants, and do not shrink failing examples."""
    from hypothesis import Phase, settings  # noqa: PLC0415 - must follow Hypothesis's pytest plugin

    phases = [Phase.explicit, Phase.generate]
    settings.register_profile(
        "mutants", database=None, derandomize=True, deadline=None, phases=phases
    )
    settings.load_profile("mutants")
