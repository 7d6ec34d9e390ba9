"""Trials find all processes of a server, even while other processes and threads start and end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.faults.processes import arguments_of, descendants, environment_of, require_gone, workers

ENDED = 20
"""The search ends when it has seen this number of processes, most of which have ended."""
SEARCH_S = 100
BUSY = """
import subprocess, sys, threading

def start_threads():
    while True:
        threading.Thread(target=lambda: None).start()

threading.Thread(target=start_threads, daemon=True).start()
resting = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(resting.pid, flush=True)
while True:
    subprocess.run(["true"])
"""


@pytest.fixture
def busy() -> Iterator[tuple[int, int]]:
    """Start a process whose threads and children end all the time.

    Yield the id of the process and the id of one of its children.
    """
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


def test_processes_are_found_while_threads_and_processes_end(busy: tuple[int, int]) -> None:
    pid, resting = busy
    seen: set[int] = set()
    deadline = time.monotonic() + SEARCH_S
    while len(seen) < ENDED:
        assert time.monotonic() < deadline, "too few processes started and ended in time"
        found = descendants(pid)
        assert found[0] == pid
        assert resting in found
        assert workers(pid) == []
        read = [(arguments_of(member), environment_of(member)) for member in found]
        assert read[found.index(resting)][0][1:] == ["-c", "input()"]
        seen.update(found)


def test_a_process_that_has_ended_has_no_descendants_arguments_or_environment() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert descendants(ended.pid) == [ended.pid]
    assert (arguments_of(ended.pid), environment_of(ended.pid)) == ([], {})
    require_gone([ended.pid])


def test_a_process_that_ended_but_was_not_waited_for_counts_as_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        require_gone([ended.pid])
        assert ended.returncode is None
