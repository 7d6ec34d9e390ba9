"""The accounts' file is locked, or the disk is full, at every step of a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest
from tests.faults.balances import open_balances
from tests.faults.call_steps import STEPS_OF_CALL, FaultyStore, Result, run_with_fault, summary
from tests.faults.disks import full_by_limit, locked
from tests.trials import Part, record, size

from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.settings import Settings

CASES = list(product(STEPS_OF_CALL, ("full disk", "locked")))
SAMPLE = CASES[:: size(3, full=1)]


@pytest.fixture(scope="module")
def results() -> Iterator[list[Result]]:
    created: list[Result] = []
    yield created
    if len(created) < len(SAMPLE):  # record the trial only if all its faults were tested
        return
    record(
        Part.FAULTS,
        "SQLite: file locked, or disk full (limit on file sizes), at each step of a call",
        f"2 faults at {len(STEPS_OF_CALL)} steps, {len(created)} calls",
        summary(created),
        by="tests/faults/test_sqlite_disk.py",
    )


@pytest.mark.parametrize(("moment", "fault"), SAMPLE)
def test_a_call_gets_a_response_and_is_charged_at_most_once_if_its_store_fails(
    moment: str, fault: str, tmp_path: Path, model_dir: Path, results: list[Result]
) -> None:
    path = tmp_path / "accounts.db"
    served, read = SqliteAccountStore(path), SqliteAccountStore(path)
    balances = open_balances(read)
    settings = Settings(model_dir=model_dir)
    broken = locked(path) if fault == "locked" else full_by_limit()
    with ExitStack() as stack:
        store = FaultyStore(served, moment, lambda: stack.enter_context(broken))
        results.append(run_with_fault(settings, store, balances, moment, stack.close))
    served.close()
    read.close()
