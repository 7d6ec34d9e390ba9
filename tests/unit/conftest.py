"""The rule for unit tests: no test starts a process."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a unit test that starts a process.

    Processes are slow to start, so tests that need them are in `tests/integration`.
    """

    def fail(*_arguments: object, **_options: object) -> None:
        pytest.fail("A unit test cannot start a process; move this test to tests/integration.")

    monkeypatch.setattr("subprocess.Popen.__init__", fail)
    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", fail)
    monkeypatch.setattr("os.fork", fail)
