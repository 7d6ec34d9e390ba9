"""DynamoDB Local is killed under load, and restarted with the same data."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.faults.balances import open_balances
from tests.faults.conftest import HOLD_TTL_S, PRICE
from tests.faults.load import UNAVAILABLE, load, summarize_outages
from tests.faults.responses import PICTURE
from tests.integration.accounts.dynamodb_local import dynamodb_local
from tests.integration.running import running
from tests.trials import Part, record, size

from blur.accounts.connect import open_account_store

pytestmark = pytest.mark.usefixtures("long_timeouts")

CLIENTS = 2
KILLS = size(1, full=10)
REFUSED = 3
"""The number of calls that are rejected before the database is started again."""


@pytest.mark.timeout(900)
def test_a_killed_database_loses_no_credit(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "dynamodb"
    data.mkdir()
    with ExitStack() as life:
        database = life.enter_context(dynamodb_local(data=data))
        for name, value in database.environ.items():
            monkeypatch.setenv(name, value)
        location = f"dynamodb:{database.create_table('accounts')}"
        balances = open_balances(open_account_store(location), price=PRICE)
        with (
            running(tmp_path, {**env, **database.environ, "BLUR_ACCOUNTS": location}) as server,
            load(server.blur_url, balances.key, CLIENTS) as clients,
        ):
            for _ in range(KILLS):
                clients.wait_for(PICTURE, 2, begin=len(clients.seen))
                life.close()
                clients.wait_for(UNAVAILABLE, REFUSED, begin=len(clients.seen))
                life.enter_context(dynamodb_local(data=data, port=database.port))
            clients.wait_for(PICTURE, 2, begin=len(clients.seen))
        outages = summarize_outages(clients, balances, hold_ttl_s=HOLD_TTL_S)
        balances.store.close()
    record(
        Part.FAULTS,
        "DynamoDB Local killed (-9) under load and restarted with its data",
        f"{KILLS} kills, {CLIENTS} clients, {len(clients.seen)} calls",
        outages,
        by="tests/faults/test_dynamo_killed.py",
    )
