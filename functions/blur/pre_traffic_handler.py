"""The entry point of CodeDeploy's hook: a new version blurs one photo before it gets traffic.

The hook issues a test key on an account for checks, calls the new version with the page's example
photo, and revokes the key. So the hook needs no stored key, and nothing is charged. CodeDeploy
waits for the hook's report for up to an hour, so every request of the hook ends before the
function's time-out, and every failure is reported:
https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pybase64
from aws_lambda_powertools import Logger

from blur.account_status import RateLimit
from blur.accounts.admin import AccountAdmin
from blur.accounts.admin_errors import AccountExistsError
from blur.accounts.connect import open_account_store
from blur.accounts.model import SECOND_US, KeyKind
from blur.api.log_values import logged_exception
from blur.aws import limited, session
from blur.clock import now
from blur.settings import Settings, variable_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.ports import AccountStore

ACCOUNT_ID, ACCOUNT_NAME = "PreTraffic00", "Check before deployments"
NEW_VERSION = "NEW_VERSION"
"""The environment variable with the ARN of the function's new version."""
KEY_TTL_US = 600 * SECOND_US
"""The lifetime of the key, in case the hook is killed before it revokes the key."""
PHOTO = "sample.jpg"
ROUTE = "/v2/rembg/blur/"
BOUNDARY = "pre-traffic-check"
SUCCEEDED, FAILED = "Succeeded", "Failed"
INVOKE_S, INVOKE_ATTEMPTS = 60, 2
"""A cold start and a call to the new version take less than `INVOKE_S`."""
REPORT_S, REPORT_ATTEMPTS = 8, 3

Invoke = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Calls the new version with a proxy event, and returns its proxy response."""


class CheckFailedError(Exception):
    """The new version returned no blurred photo, or the call was not free; see the message."""


def handler(event: Mapping[str, str], context: object) -> str:
    """Check the new version, and report the result to CodeDeploy."""
    del context
    execution = {
        "deploymentId": event["DeploymentId"],
        "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
    }
    status = FAILED
    try:
        check_new_version(os.environ)
        status = SUCCEEDED
    except Exception as error:  # noqa: BLE001 - any failure stops the deployment
        fields = logged_exception(error)  # the traceback has a limited length
        _logger().error("the new version failed its check", extra=fields)
    finally:
        report({**execution, "status": status})
    _logger().info("checked the new version", extra={"result": status})
    return status


def check_new_version(environ: Mapping[str, str]) -> None:
    """Check the version that `NEW_VERSION` names; the test key is in the store `BLUR_ACCOUNTS`.

    Raises:
        Exception: the version failed, or it could not be checked.

    """
    variable = variable_of("accounts")
    settings = Settings.from_environ({variable: environ[variable]})
    photo = (settings.site_dir / PHOTO).read_bytes()
    with closing(open_account_store(settings.accounts)) as store:
        check(store, invoker(environ[NEW_VERSION]), photo)


def report(result: Mapping[str, str]) -> None:
    """Report the result of the hook to CodeDeploy."""
    limits = limited(read_s=REPORT_S, attempts=REPORT_ATTEMPTS)
    codedeploy: Any = session().create_client("codedeploy", config=limits)
    codedeploy.put_lifecycle_event_hook_execution_status(**result)


def _logger() -> Logger:
    return Logger(service="background-blur")


def invoker(function_arn: str) -> Invoke:
    """Return the function that invokes a version of a Lambda function."""
    limits = limited(read_s=INVOKE_S, attempts=INVOKE_ATTEMPTS)
    client: Any = session().create_client("lambda", config=limits)

    def invoke(event: Mapping[str, Any]) -> Mapping[str, Any]:
        response = client.invoke(FunctionName=function_arn, Payload=json.dumps(event).encode())
        reply: Mapping[str, Any] = json.loads(response["Payload"].read())
        return reply

    return invoke


def check(store: AccountStore, invoke: Invoke, photo: bytes) -> None:
    """Blur a photo with a new test key, which is revoked afterwards.

    Raises:
        CheckFailedError: the response is not a blurred photo, or is not free of charge.

    """
    with temporary_key(store) as key:
        reply = invoke(photo_event(key, photo))
    # If the function failed or was killed, its response has no status.
    status = reply.get("statusCode", reply.get("errorType"))
    headers = reply.get("multiValueHeaders") or {}
    content_type = headers.get("Content-Type", [""])[0]
    if status != HTTPStatus.OK or content_type != "image/jpeg":
        request_id = headers.get("X-Request-Id", ["none"])[0]
        message = f"status {status}, type {content_type!r}, request id {request_id}"
        raise CheckFailedError(message)
    image = pybase64.b64decode(reply["body"])
    if not image.startswith(b"\xff\xd8\xff") or image == photo:
        message = f"the result ({len(image)} bytes) is not a JPEG, or is the photo itself"
        raise CheckFailedError(message)
    if headers.get("X-Credits-Charged") != ["0"]:
        message = "a call with a test key was charged"
        raise CheckFailedError(message)


@contextmanager
def temporary_key(store: AccountStore) -> Iterator[str]:
    """Issue a test key on the account for checks, and revoke it at the end."""
    admin = AccountAdmin(store, secrets.token_bytes, now())
    with suppress(AccountExistsError):
        store.create_account(ACCOUNT_ID, ACCOUNT_NAME, now_us=admin.now_us)
    text, record = admin.issue_key(
        ACCOUNT_ID, KeyKind.TEST, limit=RateLimit(per_minute=60, burst=10), ttl_us=KEY_TTL_US
    )
    try:
        yield text
    finally:
        store.revoke_key(ACCOUNT_ID, record.digest)


def photo_event(key: str, photo: bytes) -> dict[str, Any]:
    """Return the proxy event of a request with this key and photo (RFC 7578)."""
    parts = {"radius": ("", b"12"), "format": ("", b"jpeg")}
    parts["image"] = ('; filename="photo.jpg"\r\nContent-Type: image/jpeg', photo)
    body = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, (more, content) in parts.items()
    )
    headers = {"ApiKey": key, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return {
        "resource": ROUTE,
        "path": ROUTE,
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {"path": ROUTE, "requestId": f"pre-traffic-{secrets.token_hex(8)}"},
        "body": pybase64.b64encode_as_string(body + f"--{BOUNDARY}--\r\n".encode()),
        "isBase64Encoded": True,
    }
