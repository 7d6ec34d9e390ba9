"""Invalid responses from DynamoDB, at every step of a call that uses the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults.balances import open_balances
from tests.faults.call_steps import STEPS_OF_CALL, FaultyStore, Result, run_with_fault, summary
from tests.faults.garbage import faults
from tests.faults.relay import Relay, relay
from tests.integration.accounts.dynamodb_local import LONG_TIMEOUT_S
from tests.trials import Part, record, size

from blur.accounts.connect import open_account_store
from blur.settings import Settings

if TYPE_CHECKING:
    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

    from blur.accounts.ports import AccountStore

pytestmark = pytest.mark.usefixtures("quick_networks")

FAULTS = faults()
CASES = list(product(STEPS_OF_CALL, [*FAULTS, "stopped"]))
SAMPLE = CASES[:: size(13, full=1)]
"""The cases to test: all at full size, otherwise every 13th. No fault is in the small sample twice,
because 13 and the number of faults have no common factor."""


@dataclass(frozen=True)
class Table:
    """A table that the service uses through the relay, and the test uses directly."""

    between: Relay
    through: AccountStore
    directly: AccountStore


@pytest.fixture(scope="module")
def table(dynamodb: DynamoDBLocal, dynamodb_table: str) -> Iterator[Table]:
    location = f"dynamodb:{dynamodb_table}"
    with relay(dynamodb.endpoint_url) as between:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", between.url)
            through = open_account_store(location)
        with pytest.MonkeyPatch.context() as patch:
            for limit in ("CONNECT_S", "READ_S"):
                patch.setattr(f"blur.accounts.dynamo.client.{limit}", LONG_TIMEOUT_S)
            directly = open_account_store(location)
        yield Table(between, through, directly)
        through.close()
        directly.close()


@pytest.fixture(scope="module")
def results() -> Iterator[list[Result]]:
    created: list[Result] = []
    yield created
    if len(created) < len(SAMPLE):  # a run without some of the faults is not recorded
        return
    record(
        Part.FAULTS,
        "DynamoDB stopped, slowed to 3 s or returning garbage, at each step of a call",
        f"{len(FAULTS) + 1} faults at {len(STEPS_OF_CALL)} steps, {len(created)} calls",
        summary(created),
        by="tests/faults/test_dynamo_garbage.py",
    )


@pytest.mark.parametrize(("moment", "fault"), SAMPLE)
def test_a_call_gets_a_response_and_is_charged_at_most_once_if_dynamodb_fails(
    moment: str, fault: str, table: Table, model_dir: Path, results: list[Result]
) -> None:
    between = table.between
    broken = between.stopped() if fault == "stopped" else between.failing(FAULTS[fault])
    with ExitStack() as stack:
        store = FaultyStore(table.through, moment, lambda: stack.enter_context(broken))
        settings = Settings(model_dir=model_dir)
        balances = open_balances(table.directly)
        results.append(run_with_fault(settings, store, balances, moment, stack.close))
