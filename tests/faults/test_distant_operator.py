"""An operator's commands, far from DynamoDB: each response takes longer than the API waits."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.faults.relay import Forward, Request, relay
from tests.integration.accounts.dynamodb_local import DynamoDBLocal
from tests.integration.accounts.operators import operate

from blur.accounts.connect import open_account_store
from blur.accounts.dynamo.client import READ_S
from blur.clock import now
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator


def distant(request: Request, forward: Forward) -> None:
    """Respond after the API's time limit for a response."""
    response = forward()
    time.sleep(1.3 * READ_S)
    request.respond(response)


@pytest.fixture
def env(dynamodb: DynamoDBLocal, dynamodb_table: str) -> Iterator[dict[str, str]]:
    """Return the environment of a command that uses the table through a slow connection."""
    with relay(dynamodb.endpoint_url) as between, between.failing(distant):
        remote = DynamoDBLocal(between.url).environ
        yield {**os.environ, **remote, "BLUR_ACCOUNTS": f"dynamodb:{dynamodb_table}"}


def test_commands_wait_for_responses_that_are_too_late_for_the_api(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = operate(env, "keys", "issue", "--credits", "5")["account"]
    shown = operate(env, "accounts", "show", account)
    assert (shown["balance"], shown["held"]) == (5, 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", env["AWS_ENDPOINT_URL_DYNAMODB"])
    store = open_account_store(env["BLUR_ACCOUNTS"])
    with closing(store), pytest.raises(UnavailableError):
        store.read_account(account, now_us=now())
