"""The server or a worker is killed with -9 while clients send photos."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.faults.conftest import HOLD_TTL_S
from tests.faults.load import WAIT_S, load, post
from tests.faults.processes import descendants, require_gone, workers
from tests.faults.responses import BROKEN, PICTURE
from tests.integration.running import running
from tests.trials import Part, record, size

if TYPE_CHECKING:
    from tests.faults.balances import Balances

KILLS = size(2, full=20)
CLIENTS = 4
LONGEST_LIFE_S = 0.4
"""The maximum time from the second delivered result to the next kill."""


@pytest.mark.timeout(900)
def test_after_the_server_is_killed_each_retry_gets_its_result_without_a_second_charge(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    random, keys = Random(7), set[str]()
    broken, used_at_last = set[str](), 0
    for _ in range(KILLS):
        with (
            running(tmp_path, env) as server,
            load(server.blur_url, balances.key, CLIENTS) as clients,
        ):
            clients.wait_for(PICTURE, 2)
            time.sleep(LONGEST_LIFE_S * random.random())
            members = descendants(server.process.pid)
            os.kill(server.process.pid, signal.SIGKILL)
            clients.stopping.set()
        require_gone(members)
        assert set(clients.kinds()) <= {PICTURE, BROKEN}
        keys |= {key for key, _ in clients.seen}
        broken |= {key for key, seen in clients.seen if seen.kind == BROKEN}
        used_at_last = balances.exact().used
    unseen = used_at_last - (len(keys) - len(broken))
    with running(tmp_path, env) as server:
        for key in broken:
            redeem(server.blur_url, balances.key, key)
    used = balances.settled(after_s=HOLD_TTL_S)
    assert used <= len(keys)
    record(
        Part.FAULTS,
        "kill -9 of the server under load",
        f"{KILLS} kills, {CLIENTS} clients, {len(keys)} calls",
        f"{len(broken)} connections broke, and {max(0, unseen)} of their calls were charged before "
        f"the result was delivered; each retry with the same `Idempotency-Key` got its result; "
        f"{used} calls were charged for {len(keys)} results; no credit was lost",
        by="tests/faults/test_kill.py",
    )


@pytest.mark.timeout(900)
def test_a_worker_killed_under_load_loses_only_its_request(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    random = Random(7)
    with (
        running(tmp_path, env, "--workers", "2") as server,
        load(server.blur_url, balances.key, CLIENTS) as clients,
    ):
        for _ in range(KILLS):
            clients.wait_for(PICTURE, 2, begin=len(clients.seen))
            time.sleep(LONGEST_LIFE_S * random.random())
            os.kill(random.choice(workers(server.process.pid)), signal.SIGKILL)
        clients.wait_for(PICTURE, 2 * CLIENTS, begin=len(clients.seen))
        clients.stopping.set()
    assert set(clients.kinds()) <= {PICTURE, "internal_error"}
    lost = {key for key, seen in clients.seen if seen.kind != PICTURE}
    assert len(lost) <= KILLS
    unseen = balances.exact().used - clients.pictures()
    with running(tmp_path, env) as server:
        for key in lost:
            redeem(server.blur_url, balances.key, key)
    used = balances.settled(after_s=HOLD_TTL_S)
    assert used <= len(clients.seen)
    record(
        Part.FAULTS,
        "kill -9 of a worker under load",
        f"{KILLS} kills, 2 workers, {CLIENTS} clients, {len(clients.seen)} calls",
        f"{len(lost)} calls got 500, and {max(0, unseen)} of them were charged before a retry;"
        " each retry with the same `Idempotency-Key` got its result;"
        f" {used} calls were charged for {len(clients.seen)} results; the server kept running",
        by="tests/faults/test_kill.py",
    )


def redeem(url: str, key: str, idempotency_key: str) -> None:
    """Retry a call as a client does, until the result arrives."""
    deadline = time.monotonic() + WAIT_S
    while (seen := post(url, key, idempotency_key).kind) != PICTURE:
        assert seen == "idempotency_in_progress"
        assert time.monotonic() < deadline
        time.sleep(0.2)
