"""The check of a new version before it gets traffic, with the real handler and table."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from tests.documents import ROOT
from tests.integration.accounts.customer import new_id
from tests.integration.stack.test_template import resources, statements, template

from bgblur.serving.proxy_events import InvocationContext
from blur import pre_traffic_handler
from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.dynamo.client import open_client
from blur.accounts.model import Instant
from blur.app import build_app
from blur.clock import now
from blur.pre_traffic_handler import (
    ACCOUNT_ID,
    FAILED,
    NEW_VERSION,
    SUCCEEDED,
    CheckFailedError,
    check,
)
from blur.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

    from blur.api.router import Router

__all__ = ["resources", "template"]  # fixtures

PHOTO = (ROOT / "site" / "sample.jpg").read_bytes()
HOOK = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "hook-1"}


@pytest.fixture
def table(dynamodb: DynamoDBLocal) -> str:
    return dynamodb.create_table(new_id("checked"))


@pytest.fixture
def sent() -> set[str]:
    return set()


@pytest.fixture
def store(table: str, sent: set[str]) -> Iterator[DynamoAccountStore]:
    client = open_client()

    def note(model: Any, **_: object) -> None:  # noqa: ANN401 - boto's
        transaction = {"TransactWriteItems": "PutItem"}
        sent.add(f"dynamodb:{transaction.get(model.name, model.name)}")

    client.meta.events.register("before-call.dynamodb", note)
    store = DynamoAccountStore(table, client)
    yield store
    store.close()


@pytest.fixture
def version(table: str, model_dir: Path) -> Router:
    """Return a version of the function that works."""
    settings = Settings(accounts=f"dynamodb:{table}", model_dir=model_dir)
    return build_app(settings, logger=Logger(service=table, stream=io.StringIO()))


def test_a_version_that_blurs_passes_and_leaves_no_valid_key(
    store: DynamoAccountStore, version: Router, sent: set[str], resources: dict[str, Any]
) -> None:
    for _ in range(3):  # more deployments than an account has valid keys
        check(store, lambda event: version(event, InvocationContext()), PHOTO)
    (statement,) = (
        each for each in statements(resources, "PreTrafficRole") if each["Sid"] == "Account"
    )
    assert sent == set(statement["Action"])
    account = store.read_account(ACCOUNT_ID, now_us=now())
    assert (account.balance, account.held, account.used) == (0, 0, 0)
    assert sum(month.calls for month in account.usage.values()) == 3
    assert [key.is_valid(Instant(now())) for key in account.keys] == [False] * 3


JPEG = {"Content-Type": ["image/jpeg"], "X-Credits-Charged": ["0"]}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"errorType": "Runtime.ExitError", "errorMessage": "killed"}, "Runtime.ExitError"),
        ({"statusCode": 500, "multiValueHeaders": {"X-Request-Id": ["req_1"]}}, "500 , req_1"),
        ({"statusCode": 200, "multiValueHeaders": JPEG, "body": "AAAA"}, "not a new JPEG"),
        (
            {
                "statusCode": 200,
                "multiValueHeaders": JPEG | {"X-Credits-Charged": ["1"]},
                "body": "/9j/AAAA",
            },
            "charged",
        ),
    ],
)
def test_a_version_that_does_not_blur_fails_and_its_key_is_revoked(
    store: DynamoAccountStore, reply: Mapping[str, Any], reason: str
) -> None:
    with pytest.raises(CheckFailedError, match=reason):
        check(store, lambda _: reply, PHOTO)
    account = store.read_account(ACCOUNT_ID, now_us=now())
    assert [key.is_valid(now()) for key in account.keys] == [False]


class Session:
    """AWS's session with Lambda, which runs a version, and CodeDeploy, which gets the result."""

    def __init__(self, version: Router) -> None:
        self.version = version
        self.reported: list[dict[str, str]] = []
        self.invoked: list[str] = []

    def create_client(self, service: str) -> Session:
        assert service in {"lambda", "codedeploy"}
        return self

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto's
        self.invoked.append(FunctionName)
        reply = self.version(json.loads(Payload), InvocationContext())
        return {"Payload": io.BytesIO(json.dumps(reply).encode())}

    def put_lifecycle_event_hook_execution_status(self, **result: str) -> None:
        self.reported.append(result)


@pytest.mark.parametrize(("photos", "status"), [(ROOT / "site", SUCCEEDED), (ROOT, FAILED)])
def test_the_hook_reports_its_result_to_codedeploy(  # noqa: PLR0913, PLR0917 - fixtures
    table: str,
    version: Router,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    photos: Path,
    status: str,
) -> None:
    session = Session(version)
    monkeypatch.setattr(pre_traffic_handler, "session", lambda: session)
    monkeypatch.setattr(pre_traffic_handler, "PHOTO", str(photos / "sample.jpg"))
    monkeypatch.setenv("BLUR_ACCOUNTS", f"dynamodb:{table}")
    monkeypatch.setenv(NEW_VERSION, "arn:of:version:2")
    assert pre_traffic_handler.handler(HOOK, None) == status
    expected = {"deploymentId": "d-1", "lifecycleEventHookExecutionId": "hook-1", "status": status}
    assert session.reported == [expected]
    assert session.invoked == (["arn:of:version:2"] if status == SUCCEEDED else [])
    errors = [vars(line)["exception_name"] for line in caplog.records if line.levelname == "ERROR"]
    assert errors == ([] if status == SUCCEEDED else ["FileNotFoundError"])
