"""The hunt: a plugin of pytest that runs, for each mutant, the tests that reach its place.

The tests run once as the code is, watched: which functions does each call, and how long does
it take? Then the process forks once for each mutant, and the fork runs the tests in question,
quickest first, until one fails. What is ready for the whole run, like a database's server,
is ready in the forks too.
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
from tests.mutants.graft import graft
from tests.mutants.mutation import Mutant
from tests.mutants.portions import CODE

PATIENCE_S = 10
"""What a test of a mutant may take beyond three times its usual time: it may run for ever."""


@dataclass(eq=False)  # pytest asks for a hash of its plugins
class Hunt:
    """The mutants by the file that each is one of, and what became of them."""

    mutants: list[Mutant]
    paths: dict[str, Path]
    """The files by the names that the mutants call them."""
    survivors: list[Mutant] = field(default_factory=list)
    tried: int = 0
    is_fork: bool = False
    is_changed: bool = False
    """Whether the code of this fork is a mutant's."""

    def pytest_configure(self) -> None:
        """Calm Hypothesis before the tests are collected, which take its settings over."""
        _calm_hypothesis()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests, then hunt; instead of what pytest does."""
        with _silence():
            trails = [self._watched(session, item) for item in session.items]
        if session.testsfailed:
            pytest.exit("the tests fail without any mutant", returncode=1)
        trails.sort(key=lambda trail: trail.seconds)
        self._require_calm(session, trails)
        gc.freeze()  # what is here now stays: forks need not look at it, and so not copy it
        waiting, running = list(reversed(self.mutants)), dict[int, Mutant]()
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                mutant = waiting.pop()
                running[self._released(session, mutant, trails)] = mutant
            self._gather(running)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """End a fork at its first failure: what the test leaves behind may wait for ever."""
        if report.failed and not self.is_changed:
            print(f"fails without any mutant: {report.nodeid}", file=sys.stderr)  # noqa: T201
        if report.failed and self.is_fork:
            os._exit(1)

    def _require_calm(self, session: pytest.Session, trails: list[_Trail]) -> None:
        """Run the tests in a fork without a mutant: what kills mutants must not kill it."""
        if os.waitpid(self._released(session, None, trails), 0)[1] != 0:
            pytest.exit("the tests fail in a fork without any mutant", returncode=1)

    def _watched(self, session: pytest.Session, item: pytest.Item) -> _Trail:
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
        return _Trail(item, time.perf_counter() - start_s, places)

    def _released(
        self, session: pytest.Session, mutant: Mutant | None, trails: list[_Trail]
    ) -> int:
        """Fork and return the id of the process in which the mutant lives."""
        pid = os.fork()
        if pid == 0:
            after = [trail for trail in trails if mutant is None or trail.leads_to(mutant)]
            with contextlib.suppress(BaseException):  # a mutant may raise anything
                self._chase(session, mutant, after)
            os._exit(1)
        return pid

    def _chase(self, session: pytest.Session, mutant: Mutant | None, trails: list[_Trail]) -> None:
        """Run the tests; the first that fails ends the process with 1, else it ends with 0."""
        os.setsid()
        self.is_fork = True
        with _silence(), Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            if mutant is not None:
                self.is_changed = True
                file = self.paths[mutant.file].relative_to(CODE)
                graft(mutant, importlib.import_module(".".join(file.with_suffix("").parts)))
            for trail in trails:
                limit_s = PATIENCE_S + 3 * trail.seconds
                # It ends the process with 1 from a thread of its own, whatever the others wait for.
                faulthandler.dump_traceback_later(limit_s, exit=True, file=nowhere)
                _run(session, trail.item)
            os._exit(0)

    def _gather(self, running: dict[int, Mutant]) -> None:
        for pid, mutant in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with contextlib.suppress(ProcessLookupError):  # what its tests have started
                    os.killpg(pid, signal.SIGKILL)
                del running[pid]
                self.tried += 1
                if status == 0:
                    self.survivors.append(mutant)
                if self.tried % 100 == 0:
                    print(f" {self.tried}", end="", flush=True)  # noqa: T201 - it takes long
        time.sleep(0.002)


@dataclass(frozen=True)
class _Trail:
    """A test, what it takes and where it leads."""

    item: pytest.Item
    seconds: float
    places: set[tuple[str, str]]

    def leads_to(self, mutant: Mutant) -> bool:
        """Tell whether the test can meet the mutant; a constant is met without a call."""
        return mutant.is_constant or (mutant.file, mutant.place) in self.places


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Lead what the tests and their programs print nowhere."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    yield
    sys.stdout.flush()
    os.dup2(kept, 1)
    os.close(kept)
    os.close(nowhere)


def _run(session: pytest.Session, item: pytest.Item) -> None:
    # Named as what comes next, the session keeps what is ready for all tests, and no more.
    session.config.hook.pytest_runtest_protocol(item=item, nextitem=session)


def _calm_hypothesis() -> None:
    """Let chance be the same for all mutants, and none of them be examined beyond its failure."""
    from hypothesis import Phase, settings  # noqa: PLC0415 - its plugin has to be the first

    phases = [Phase.explicit, Phase.generate]
    settings.register_profile(
        "mutants", database=None, derandomize=True, deadline=None, phases=phases
    )
    settings.load_profile("mutants")
