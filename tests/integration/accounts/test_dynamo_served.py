"""The embedded server and the operators' commands with DynamoDB."""

from __future__ import annotations

import json
import os
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest
import requests
from events import make
from tests.integration.accounts.operators import operate
from tests.integration.availability import until_available
from tests.integration.running import BGBLUR, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal


@pytest.fixture
def env(dynamodb: DynamoDBLocal, model_dir: Path, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a process that stores its accounts in a new table."""
    table = dynamodb.create_table(tmp_path.name)
    own = {"BLUR_ACCOUNTS": f"dynamodb:{table}", "BLUR_MODEL_DIR": str(model_dir)}
    return {**os.environ, **dynamodb.environ, **own}


def test_server_charges_a_call_and_the_audit_finds_no_difference(
    env: dict[str, str], tmp_path: Path
) -> None:
    create = [*BGBLUR, "accounts", "create", "shop", "--credits", "5", "--json"]
    created = subprocess.run(create, env=env, capture_output=True, check=True, timeout=60)
    account = json.loads(created.stdout)["account"]
    key = operate(env, "keys", "issue", "--account", account)["key"]
    with running(tmp_path, env) as server:
        headers, files = {"ApiKey": key}, {"image": make.jpeg()}
        for radius, status in (("7", 200), ("51", 400)):
            blur = partial(requests.post, server.blur_url, data={"radius": radius}, timeout=60)
            answer = until_available(partial(blur, headers=headers, files=files))
            assert answer.status_code == status
            assert answer.headers["X-Credits-Remaining"] == "4"
        account_url = f"{server.url}/v2/account"
        shown = until_available(partial(requests.get, account_url, headers=headers, timeout=10))
    assert (shown.json()["balance"], shown.json()["held"]) == (4, 0)
    assert operate(env, "accounts", "audit") == {"accounts": 1, "differences": []}


def test_operators_commands_change_the_accounts_and_keys_in_the_table(env: dict[str, str]) -> None:
    command = partial(operate, env)
    issued = command("keys", "issue", "--credits", "10")
    top_up = ("accounts", "top-up", issued["account"], "5", "--entry-id", "payment-7")
    assert command(*top_up)["balance"] == command(*top_up)["balance"] == 15
    rotated = command("keys", "rotate", issued["prefix"], "--grace", "1h")
    assert command("keys", "revoke", issued["prefix"], "--yes")["status"] == "revoked"
    statuses = {row["prefix"]: row["status"] for row in command("keys", "list")}
    assert statuses == {issued["prefix"]: "revoked", rotated["prefix"]: "valid"}
    assert len(command("accounts", "ledger", issued["account"])) == 2
    assert [row["balance"] for row in command("accounts", "list")] == [15]
