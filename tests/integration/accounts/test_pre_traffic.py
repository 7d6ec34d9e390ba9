"""The check of a new version before it gets traffic, with the real handler and table."""

from __future__ import annotations

import io
import socket
from contextlib import suppress
from http.server import HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from tests.documents import ROOT
from tests.integration.accounts.codedeploy import CodeDeploy, Session, broken_version
from tests.integration.accounts.recorded_store import sent, store, table
from tests.integration.stack.template_file import resources, statements, template

from bgblur.serving.proxy_events import InvocationContext
from blur import pre_traffic_handler
from blur.accounts.model import Instant
from blur.app import build_app
from blur.aws import CONNECT_S, session
from blur.clock import now
from blur.pre_traffic_handler import (
    ACCOUNT_ID,
    FAILED,
    INVOKE_ATTEMPTS,
    INVOKE_S,
    NEW_VERSION,
    REPORT_ATTEMPTS,
    REPORT_S,
    SUCCEEDED,
    CheckFailedError,
    check,
)
from blur.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from blur.accounts.dynamo.account_store import DynamoAccountStore
    from blur.api.router import Router

__all__ = ["resources", "sent", "store", "table", "template"]  # the tests use these fixtures

PHOTO = (ROOT / "site" / "sample.jpg").read_bytes()
HOOK = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "hook-1"}


@pytest.fixture(autouse=True)
def networks(shared_networks: None) -> None:
    """Let the versions of all tests share the loaded models."""


@pytest.fixture
def version(table: str, model_dir: Path) -> Router:
    """Return the handler of a new version; this version works correctly."""
    settings = Settings(accounts=f"dynamodb:{table}", model_dir=model_dir)
    return build_app(settings, logger=Logger(service=table, stream=io.StringIO()))


def test_the_check_of_a_working_version_succeeds_and_leaves_no_valid_key(
    store: DynamoAccountStore, version: Router, sent: set[str], resources: dict[str, Any]
) -> None:
    for _ in range(3):  # each check must revoke its key: an account can have only two valid keys
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
        ({"statusCode": 500, "multiValueHeaders": {"X-Request-Id": ["req_1"]}}, "500.+req_1"),
        ({"statusCode": 200, "multiValueHeaders": JPEG, "body": "AAAA"}, "is not a JPEG"),
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
def test_the_check_fails_and_revokes_its_key_if_the_new_version_does_not_blur(
    store: DynamoAccountStore, reply: Mapping[str, Any], reason: str
) -> None:
    with pytest.raises(CheckFailedError, match=reason):
        check(store, lambda _: reply, PHOTO)
    account = store.read_account(ACCOUNT_ID, now_us=now())
    assert [key.is_valid(now()) for key in account.keys] == [False]


@pytest.mark.parametrize(("photos", "status"), [(ROOT / "site", SUCCEEDED), (ROOT, FAILED)])
def test_the_hook_reports_its_result_to_codedeploy(  # noqa: PLR0913, PLR0917 - pytest passes the fixtures
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


@pytest.fixture
def codedeploy(table: str, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Set all environment variables; return a fake AWS session in which the new version fails."""
    session = Session(broken_version(TimeoutError()))
    monkeypatch.setattr(pre_traffic_handler, "session", lambda: session)
    monkeypatch.setattr(pre_traffic_handler, "PHOTO", str(ROOT / "site" / "sample.jpg"))
    monkeypatch.setenv("BLUR_ACCOUNTS", f"dynamodb:{table}")
    monkeypatch.setenv(NEW_VERSION, "arn:of:version:2")
    return session


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BLUR_ACCOUNTS", None),
        ("BLUR_ACCOUNTS", "postgres:x"),
        ("BLUR_ACCOUNTS", "dynamodb:no-such-table"),
        (NEW_VERSION, None),
    ],
)
def test_a_check_with_wrong_environment_variables_is_reported_as_failed(
    codedeploy: Session, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    assert pre_traffic_handler.handler(HOOK, None) == FAILED
    assert [result["status"] for result in codedeploy.reported] == [FAILED]
    assert codedeploy.invoked == []


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), MemoryError()])
def test_a_check_that_raises_any_exception_is_reported_as_failed_and_its_key_is_revoked(
    codedeploy: Session, store: DynamoAccountStore, error: BaseException
) -> None:
    codedeploy.version = broken_version(error)
    with suppress(SystemExit, KeyboardInterrupt):
        pre_traffic_handler.handler(HOOK, None)
    assert [result["status"] for result in codedeploy.reported] == [FAILED]
    account = store.read_account(ACCOUNT_ID, now_us=now())
    assert [key.is_valid(now()) for key in account.keys] == [False]


def test_a_failure_that_cannot_be_logged_is_reported(
    codedeploy: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: BaseException) -> None:
        raise RecursionError

    monkeypatch.setattr(pre_traffic_handler, "logged_exception", fail)
    with pytest.raises(RecursionError):
        pre_traffic_handler.handler(HOOK, None)
    assert [result["status"] for result in codedeploy.reported] == [FAILED]


@pytest.mark.parametrize("event", [{}, {"DeploymentId": "d-1"}])
def test_an_event_with_a_missing_id_is_rejected_before_any_check(
    codedeploy: Session, store: DynamoAccountStore, event: dict[str, str]
) -> None:
    with pytest.raises(KeyError):
        pre_traffic_handler.handler(event, None)
    assert (codedeploy.invoked, codedeploy.reported) == ([], [])
    assert list(store.list_accounts(now_us=now())) == []


def test_a_version_that_never_responds_is_reported_as_failed(
    codedeploy: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pre_traffic_handler, "session", session)
    monkeypatch.setattr(pre_traffic_handler, "INVOKE_S", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        HTTPServer(("127.0.0.1", 0), CodeDeploy) as server,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ENDPOINT_URL_CODEDEPLOY", f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.handle_request)
        thread.start()
        assert pre_traffic_handler.handler(HOOK, None) == FAILED
        thread.join()
    assert CodeDeploy.received[-1]["status"] == FAILED
    assert not codedeploy.reported


def test_all_requests_end_before_the_functions_timeout(resources: dict[str, Any]) -> None:
    pauses_s = 5  # the pauses between the attempts
    invoked_s = INVOKE_ATTEMPTS * (CONNECT_S + INVOKE_S) + pauses_s
    reported_s = REPORT_ATTEMPTS * (CONNECT_S + REPORT_S) + pauses_s
    # Four calls of `DynamoAccountStore`, 2 s each, create the account, add its key and revoke it.
    store_s = 4 * 2
    longest_s = invoked_s + reported_s + store_s
    assert longest_s < resources["PreTrafficFunction"]["Timeout"]
