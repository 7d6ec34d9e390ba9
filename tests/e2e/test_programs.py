"""`make e2e` stops the programs that it has started, even if the run fails or is terminated."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.e2e import machine, programs
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60

# A test run like those in tests/e2e: it starts a server, and waits for a program. After a signal,
# the server and the program each take a second to end, and must not get a second signal in that
# time.
RUN = """
from pathlib import Path
import pytest
from tests.e2e import programs

HERE = Path(__file__).parent
ENDS = 'sleep 60 & trap "touch {0}-asked; sleep 1; kill $!; touch {0}-ended; exit 1" INT TERM; '
ENDS += "touch {0}; wait"

def command(name):
    return ["sh", "-c", ENDS.format(name)]

@pytest.fixture(scope="session")
def server():
    ready = HERE / "serves"
    with programs.started(command("serves"), folder=HERE, log=HERE / "s.log", until=ready.exists):
        yield

def test_work(server):
    programs.ran(command("works"), folder=HERE, log=HERE / "w.log")
"""


def test_a_program_is_stopped_when_its_context_ends(tmp_path: Path) -> None:
    port = free_port()
    with serving(port, tmp_path):
        assert machine.listens("127.0.0.1", port)
    assert not machine.listens("127.0.0.1", port)


def test_a_program_is_stopped_if_a_test_fails(tmp_path: Path) -> None:
    port = free_port()
    with contextlib.suppress(ZeroDivisionError), serving(port, tmp_path):
        raise ZeroDivisionError
    assert not machine.listens("127.0.0.1", port)


def test_the_error_for_a_program_that_does_not_start_quotes_its_output(tmp_path: Path) -> None:
    broken = programs.started(
        ["sh", "-c", "echo no such flag >&2; exit 2"],
        folder=tmp_path,
        log=tmp_path / "broken.log",
        until=lambda: False,
    )
    with pytest.raises(RuntimeError, match=r"broken did not start:\nno such flag"), broken:
        pass


def test_running_a_program_returns_its_exit_code_and_output_and_logs_its_standard_error(
    tmp_path: Path,
) -> None:
    log = tmp_path / "output.log"
    command = ["sh", "-c", "echo result; echo complaint >&2; exit 3"]
    assert programs.ran(command, folder=tmp_path, log=log) == (3, "result\n")
    assert log.read_text() == "complaint\n"


@pytest.mark.parametrize("number", programs.ENDINGS, ids=lambda number: number.name)
def test_a_test_run_that_gets_a_signal_stops_its_programs_before_it_ends(
    number: signal.Signals, tmp_path: Path
) -> None:
    file = tmp_path / "test_run.py"
    file.write_text(RUN)
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "tests.e2e.conftest"]
    run = subprocess.Popen(
        [*command, str(file)], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    for moment in ("works", "works-asked", "serves-asked"):
        wait_for(tmp_path / moment)
        os.killpg(run.pid, number)  # as a terminal does on Ctrl-C
    output, _ = run.communicate(timeout=TIMEOUT_S)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output
    assert (tmp_path / "works-ended").exists()
    assert (tmp_path / "serves-ended").exists()


def serving(port: int, folder: Path) -> contextlib.AbstractContextManager[None]:
    return programs.started(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)],
        folder=folder,
        log=folder / "server.log",
        until=lambda: machine.listens("127.0.0.1", port),
    )


def wait_for(path: Path) -> None:
    latest = time.monotonic() + TIMEOUT_S
    while not path.exists():
        assert time.monotonic() < latest, f"no {path.name}"
        time.sleep(0.05)
