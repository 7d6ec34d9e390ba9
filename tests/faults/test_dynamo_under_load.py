"""Tests of a server that handles calls while DynamoDB is stopped, slow or faulty."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults.balances import open_balances
from tests.faults.conftest import HOLD_TTL_S, PRICE
from tests.faults.garbage import faults
from tests.faults.load import UNAVAILABLE, load, summarize_outages
from tests.faults.relay import relay
from tests.faults.responses import PICTURE
from tests.integration.running import running
from tests.trials import Part, record, size

from blur.accounts.connect import open_account_store

if TYPE_CHECKING:
    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

pytestmark = pytest.mark.usefixtures("long_timeouts")

FAULTS = faults()
NAMES = ["stopped", "slow-arrived", *size(["half-arrived"], full=list(FAULTS))]
CLIENTS = 2
REFUSED = size(2, full=4)
"""The number of calls that are rejected before the fault ends."""


@pytest.mark.timeout(900)
def test_no_credit_is_lost_if_the_table_fails_under_load(
    tmp_path: Path, env: dict[str, str], dynamodb: DynamoDBLocal, dynamodb_table: str
) -> None:
    location = f"dynamodb:{dynamodb_table}"
    balances = open_balances(open_account_store(location), price=PRICE)
    with relay(dynamodb.endpoint_url) as between:
        there = {**dynamodb.environ, "AWS_ENDPOINT_URL_DYNAMODB": between.url}
        with (
            running(tmp_path, {**os.environ, **env, **there, "BLUR_ACCOUNTS": location}) as server,
            load(server.blur_url, balances.key, CLIENTS) as clients,
        ):
            for name in NAMES:
                clients.wait_for(PICTURE, 2, begin=len(clients.seen))
                with ExitStack() as stack:
                    broken = between.failing(FAULTS[name]) if name in FAULTS else between.stopped()
                    stack.enter_context(broken)
                    clients.wait_for(UNAVAILABLE, REFUSED, begin=len(clients.seen))
            clients.wait_for(PICTURE, 2, begin=len(clients.seen))
    outages = summarize_outages(clients, balances, hold_ttl_s=HOLD_TTL_S)
    balances.store.close()
    record(
        Part.FAULTS,
        "DynamoDB stopped, slowed to 3 s or returning garbage, under load",
        f"{len(NAMES)} faults, {CLIENTS} clients, {len(clients.seen)} calls",
        outages,
        by="tests/faults/test_dynamo_under_load.py",
    )
