"""A disk that becomes full or read-only while a server uses it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from tests.faults.conftest import HOLD_TTL_S
from tests.faults.disks import filled, full_by_limit, read_only, without_privileges
from tests.faults.load import load
from tests.faults.responses import PICTURE
from tests.integration.running import ServerProcess, running
from tests.trials import FULL, Part, record, size

if TYPE_CHECKING:
    from tests.faults.balances import Balances

UNAVAILABLE = "temporarily_unavailable"
ROUNDS = size(1, full=5)
CLIENTS = 2
IS_ROOT = os.geteuid() == 0


Fault = Callable[[ServerProcess, Path], AbstractContextManager[None]]
FULL_DISKS: dict[str, Fault] = {
    "limit on file sizes": lambda server, _: full_by_limit(server.process.pid)
}
READ_ONLY_DISKS: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "mode bits": read_only
}


@contextmanager
def remounted(folder: Path) -> Iterator[None]:
    """Make the mounted disk read-only during the context."""
    mount = ["mount", "-o"]
    subprocess.run([*mount, "remount,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run([*mount, "remount,rw", folder], check=True)


def wait_until_ready_is(server: ServerProcess, status: int) -> None:
    """Wait until `/ready` has this status; the server checks the store once per second."""
    seen: list[int] = []
    while status not in seen:
        assert len(seen) < 100, seen
        time.sleep(0.1)
        seen.append(requests.get(f"{server.url}/ready", timeout=30).status_code)


if FULL and IS_ROOT:
    FULL_DISKS["mounted tmpfs"] = lambda _, folder: filled(folder)
    READ_ONLY_DISKS["mounted tmpfs"] = remounted


@pytest.mark.parametrize("way", FULL_DISKS)
def test_no_credit_is_lost_if_the_disk_is_full_under_load(
    way: str, tmp_path: Path, disk: Path, env: dict[str, str], balances: Balances
) -> None:
    with (
        running(tmp_path, env) as server,
        load(server.blur_url, balances.key, CLIENTS) as clients,
    ):
        for _ in range(ROUNDS):
            clients.wait_for(PICTURE, 2, begin=len(clients.seen))
            with FULL_DISKS[way](server, disk):
                clients.wait_for(UNAVAILABLE, 3, begin=len(clients.seen))
                wait_until_ready_is(server, 503)
            wait_until_ready_is(server, 200)
        clients.wait_for(PICTURE, 2, begin=len(clients.seen))
    kinds = clients.kinds()
    assert set(kinds) == {PICTURE, UNAVAILABLE}
    used = balances.settled(after_s=HOLD_TTL_S)
    assert used <= clients.pictures()
    record(
        Part.FAULTS,
        f"SQLite: disk full under load ({way})",
        f"full {ROUNDS} times, {CLIENTS} clients, {len(clients.seen)} calls",
        f"{kinds[UNAVAILABLE]} calls got 503 and {kinds[PICTURE]} got results; {used} were "
        f"charged; no credit was lost; `/ready` was 503 while the disk was full; when there was "
        f"space again, calls succeeded",
        by="tests/faults/test_disk_under_load.py",
    )


@pytest.mark.parametrize("way", READ_ONLY_DISKS)
def test_calls_get_503_while_the_disk_is_read_only(
    way: str, tmp_path: Path, disk: Path, env: dict[str, str], balances: Balances
) -> None:
    # While a process has a file open for writing, the file or the disk can stay writable. So no
    # process has the file open when the disk becomes read-only.
    balances.store.close()
    with ExitStack() as fault:
        fault.enter_context(READ_ONLY_DISKS[way](disk))
        with running(tmp_path, env, under=without_privileges()) as server:
            with load(server.blur_url, balances.key, CLIENTS) as before:
                before.wait_for(UNAVAILABLE, 6)
                wait_until_ready_is(server, 503)
            fault.close()
            with load(server.blur_url, balances.key, CLIENTS) as after:
                after.wait_for(PICTURE, 2)
            wait_until_ready_is(server, 200)
    assert set(before.kinds()) == {UNAVAILABLE}
    assert set(after.kinds()) == {PICTURE}
    used = balances.settled(after_s=HOLD_TTL_S)
    assert used == after.pictures()
    record(
        Part.FAULTS,
        f"SQLite: disk read-only ({way})",
        f"{len(before.seen)} calls",
        f"all calls got 503 and were not charged, and `/ready` was 503; {used} of "
        f"{after.pictures()} results were charged after the disk had become writable again",
        by="tests/faults/test_disk_under_load.py",
    )
