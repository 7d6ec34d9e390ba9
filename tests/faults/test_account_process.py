"""Account calls while the accounts' file is locked, or after the account worker has failed."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
import requests
from tests.faults.processes import workers
from tests.faults.until import WAIT_S, until
from tests.integration.running import ServerProcess, running
from tests.trials import Part, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.balances import Balances

BY = "tests/faults/test_account_process.py"


def account(server: ServerProcess, key: str) -> requests.Response:
    return requests.get(f"{server.url}/v2/account", headers={"ApiKey": key}, timeout=WAIT_S)


@contextmanager
def locked(env: dict[str, str]) -> Iterator[None]:
    """Keep the accounts' file locked, as another process could."""
    path = env["BLUR_ACCOUNTS"].removeprefix("sqlite:")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@pytest.mark.timeout(300)
def test_while_the_store_is_locked_account_calls_get_503_within_30_s_and_pages_are_not_delayed(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    with running(tmp_path, env) as server, ThreadPoolExecutor(12) as pool:
        assert account(server, balances.key).status_code == 200
        with locked(env):
            began_s = time.monotonic()
            calls = [pool.submit(account, server, balances.key) for _ in range(12)]
            for path in ("/", "/health", "/openapi.json", "/docs", "/sample.jpg") * 3:
                assert requests.get(server.url + path, timeout=WAIT_S).status_code == 200
            assert not wait(calls, timeout=0).done  # no account call has got a response yet
            for call in calls:
                assert call.result().status_code == 503
                assert int(call.result().headers["Retry-After"]) >= 1
            assert time.monotonic() - began_s < 30
            longest_s = time.monotonic() - began_s
        until(lambda: account(server, balances.key).status_code == 200)
    record(
        Part.FAULTS,
        "The accounts' file locked by another process",
        f"{len(calls)} account calls at the same time",
        f"each gets 503 within {longest_s:.0f} s; meanwhile page, reference and `/health` respond",
        by=BY,
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_failed_worker_for_account_calls_is_replaced_and_does_not_delay_the_page(
    tmp_path: Path, env: dict[str, str], balances: Balances, number: signal.Signals
) -> None:
    with running(tmp_path, env) as server, ThreadPoolExecutor(1) as pool:
        (worker,) = workers(server.process.pid, "account")
        os.kill(worker, number)
        call = pool.submit(account, server, balances.key)
        assert requests.get(server.url, timeout=WAIT_S).status_code == 200
        assert call.result().status_code in {200, 503}
        until(lambda: account(server, balances.key).status_code == 200)
        assert workers(server.process.pid, "account") != [worker]
