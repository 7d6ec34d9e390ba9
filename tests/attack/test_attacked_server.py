"""An attacked server uses limited memory, and stops in time.

At small size, the servers have a quick network, because these trials check only memory, times and
responses.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest
from tests.attack.attacks import (
    Accounts,
    Make,
    Server,
    address,
    attacking,
    noise,
    pipelines_of_unread_responses,
    slow_bodies,
    unread_results,
)
from tests.attack.customer import Customer
from tests.faults.accepted import REFUSED
from tests.faults.conftest import counting_models
from tests.faults.load import load
from tests.faults.responses import BROKEN, PICTURE
from tests.faults.test_stop import client
from tests.integration.customer_calls import jpeg
from tests.integration.running import ServerProcess, environment, running
from tests.trials import Part, record, size

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attack.attackers import Attack

__all__ = ["counting_models"]  # the tests use this fixture

BY = "tests/attack/test_attacked_server.py"
STOP_S = 45
"""The longest time that a server needs to stop on a busy machine."""
UNREAD = size(20, full=150)
UNREAD_S = size(250, full=900)
MAX_BODY_BYTES = 1_000_000
BUDGET_BYTES = 16 * MAX_BODY_BYTES
"""The front process uses at most this much memory for bodies, and as much again for results."""
IN_TRANSIT_BYTES = 60_000_000
"""The memory for results that two workers are sending, and for blocks that the allocator keeps."""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory, counting_models: Path) -> dict[str, str]:
    return environment(tmp_path_factory.mktemp("accounts"), counting_models, BLUR_MEDIA="")


def unread_blurred(server: Server, photo: bytes, key: str) -> Attack:
    return server.photos("unread_result", 40, photo, key, radius="1")


def unread_removals(server: Server, photo: bytes, key: str) -> Attack:
    return server.removals("unread_result", 40, photo, key)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("attack_of", "results"),
    [
        (unread_blurred, "Results of the blur route that the client does not read"),
        (unread_removals, "Results of `/v1.0/removebg` that the client does not read"),
    ],
    ids=["blurred", "removed"],
)
def test_the_front_process_uses_limited_memory_if_a_client_does_not_read_results(
    attack_of: Callable[[Server, bytes, str], Attack],
    results: str,
    tmp_path: Path,
    env: dict[str, str],
    accounts: Accounts,
) -> None:
    limits = {
        "BLUR_MAX_BODY_BYTES": f"{MAX_BODY_BYTES}",
        "BLUR_REMOVEBG_MAX_BODY_BYTES": f"{MAX_BODY_BYTES}",
        "BLUR_REMOVEBG_DEDUPE_S": "0",
    }
    with running(tmp_path, env | limits, "--workers", "2", "--queue", "40") as server:
        front = psutil.Process(server.process.pid)
        customer = Customer(server.url, accounts.customer(), jpeg(600, 400))
        customer.measure(1.0)
        before, most = front.memory_info().rss, 0
        photo = noise(2000, 1500)
        key = accounts.unlimited_key()
        attack = attack_of(address(server), photo, key)
        deadline = time.monotonic() + UNREAD_S
        with attacking(attack):
            while (made := processed(server)) < UNREAD:
                assert time.monotonic() < deadline, f"only {made} photos were processed in time"
                most = max(most, front.memory_info().rss)
                time.sleep(0.05)
    growth = most - before
    assert growth < 2 * BUDGET_BYTES + IN_TRANSIT_BYTES
    record(
        Part.SECURITY,
        results,
        f"{made} results of 5 to 6 MB; requests have at most {MAX_BODY_BYTES / 1e6:.0f} MB",
        f"the front process grows by {growth / 1e6:.0f} MB at most",
        by=BY,
    )


def processed(server: ServerProcess) -> int:
    """Count the processed photos in the server's log."""
    lines = [json.loads(line) for line in server.out.read_text().splitlines() if line[:1] == "{"]
    return sum((line.get("method"), line.get("status")) == ("POST", 200) for line in lines)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "make",
    [pipelines_of_unread_responses, unread_results, slow_bodies],
    ids=lambda make: make.__name__,
)
def test_a_stop_during_an_attack_takes_limited_time_and_loses_no_accepted_photo(
    make: Make, tmp_path: Path, env: dict[str, str], accounts: Accounts
) -> None:
    customers = 2
    with running(tmp_path, env, "--workers", "2") as server:
        attack = replace(make(accounts, address(server)), connections=20)
        with (
            attacking(attack),
            load(server.blur_url, accounts.customer(), customers, client) as honest,
        ):
            honest.wait_for(PICTURE, 2)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(STOP_S) in {0, -signal.SIGTERM}
            took_s = time.monotonic() - began
    kinds = honest.kinds()
    assert kinds[BROKEN] == 0
    assert set(kinds) == {PICTURE, REFUSED}
    record(
        Part.SECURITY,
        f"SIGTERM while clients misuse the server: {make.__name__.replace('_', ' ')}",
        f"{attack.connections} connections, {customers} customers",
        f"stopped in {took_s:.0f} s; {kinds[PICTURE]} results; no accepted photo was lost",
        by=BY,
    )
