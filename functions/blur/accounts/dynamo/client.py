"""DynamoDB's client: sends requests, repeats them until a deadline, and classifies failures.

This is the only module of the store that imports botocore, the part of boto3 that sends requests.
Importing all of boto3 would take longer. Endpoint, region and credentials come from the environment
(such as `AWS_ENDPOINT_URL_DYNAMODB`), boto's files, or the machine's role.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoRegionError,
    ParamValidationError,
)
from botocore.parsers import ResponseParserError

from blur.accounts.dynamo.table import ConditionFailedError, read_attributes
from blur.accounts.ports import accounts_unreachable
from blur.aws import session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from blur.accounts.dynamo.values import Item

CONNECT_S = 0.3
READ_S = 0.6
LATEST_START_S = 1.0
"""A method of the store starts its last request at most this many seconds after the method's start.
With the time-outs `CONNECT_S` and `READ_S` of that request, the method takes less than 2 s."""
PAUSE_S = 0.05
"""The pause before the first retry of a request; each further pause is twice as long."""
CONFLICT_PAUSE_S = 0.06
"""The longest pause after a conflict with another write to the same item. The pauses are random, so
that two writers do not conflict again. These pauses do not grow, because an item is locked only for
some milliseconds."""

MAX_CONNECTIONS = 64

TRANSIENT_CODES = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)
"""Errors after which a retry can succeed
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)."""

CONFLICT_CODES = frozenset({"TransactionConflictException", "TransactionInProgressException"})
"""The error codes of a write that conflicts with a running transaction on the same item."""
CONFLICT_REASON = "TransactionConflict"
"""The reason that DynamoDB gives if another write to the same item cancels a transaction."""

RETURN_CAPACITY = {"ReturnConsumedCapacity": "TOTAL"}
"""This option is added to every request, so that every response of DynamoDB has `ConsumedCapacity`;
other responses are rejected. Without this check, `{}` would be a complete response to a write, and
botocore reads any text as `{}`."""


def open_client(*, timeout_factor: float = 1) -> DynamoDBClient:
    """Return a client with short time-outs and without retries; no request is sent.

    The time-outs are multiplied by `timeout_factor`.

    Without retries, botocore checks the checksum of each response only in the legacy retry mode; in
    the standard mode, it would accept a wrong checksum.

    Raises:
        ValueError: the environment has no region.

    """
    config = Config(
        connect_timeout=CONNECT_S * timeout_factor,
        read_timeout=READ_S * timeout_factor,
        retries={"total_max_attempts": 1, "mode": "legacy"},
        max_pool_connections=MAX_CONNECTIONS,
    )
    try:
        client = session().create_client("dynamodb", config=config)
    except NoRegionError as error:
        message = "no AWS region is set; set AWS_DEFAULT_REGION"
        raise ValueError(message) from error
    return cast("DynamoDBClient", client)


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends the requests of one method of the store, with retries until the method's deadline."""

    client: Any
    latest_start: float
    """The latest time at which a request can start, on the monotonic clock."""
    conflict_s: float = 0
    """The seconds that are added to `latest_start` after a conflict with another write."""

    @classmethod
    def start(
        cls, client: DynamoDBClient, *, timeout_factor: float = 1, conflict_s: float = 0
    ) -> Sender:
        """Return a sender that starts requests only in the next `LATEST_START_S` seconds.

        This time is multiplied by `timeout_factor`.
        """
        return cls(client, time.monotonic() + LATEST_START_S * timeout_factor, conflict_s)

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request; see `table.Send`."""
        # All retries of a transaction have the same token, by which DynamoDB recognises them.
        if operation == "transact_write_items":
            request = {**request, "ClientRequestToken": str(uuid4())}
        pause_s = 0.0
        cause: _TransientError | None = None
        while time.monotonic() + pause_s <= self.latest_start + self._extra_s(cause):
            time.sleep(pause_s)
            try:
                return self._deliver(operation, request)
            except _ConflictError as error:
                cause, pause_s = error, random.uniform(0, CONFLICT_PAUSE_S)  # noqa: S311 - the pause is not a secret
            except _TransientError as error:
                cause, pause_s = error, 2 * pause_s or PAUSE_S
        raise accounts_unreachable() from cause

    def _extra_s(self, cause: _TransientError | None) -> float:
        return self.conflict_s if isinstance(cause, _ConflictError) else 0

    def _deliver(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self.client, operation)(**request, **RETURN_CAPACITY)
        except ClientError as error:
            raise _explained(error) from error
        except ParamValidationError:
            raise
        except (BotoCoreError, ResponseParserError, AttributeError, TypeError, ValueError) as error:
            # Botocore's parser raises any of these if the response is not from DynamoDB.
            raise _TransientError from error
        if "ConsumedCapacity" not in response or "RequestId" not in response["ResponseMetadata"]:
            raise _TransientError
        return response


class _TransientError(Exception):
    """This request failed; a retry can succeed."""


class _ConflictError(_TransientError):
    """Another write to the same item was in progress."""


def _explained(error: ClientError) -> Exception:
    code, response = error.response["Error"]["Code"], error.response
    if code == "ConditionalCheckFailedException":
        return ConditionFailedError([_old_item(response)])
    if code == "TransactionCanceledException":
        parts = response.get("CancellationReasons", [])
        if any(part["Code"] == "ConditionalCheckFailed" for part in parts):
            return ConditionFailedError([_old_item(part) for part in parts])
        conflicts = any(part["Code"] == CONFLICT_REASON for part in parts)
        return _ConflictError() if conflicts else _TransientError()
    if code in CONFLICT_CODES:
        return _ConflictError()
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    if code in TRANSIENT_CODES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _TransientError()
    return error if code == "ValidationException" else accounts_unreachable()


def _old_item(response: Mapping[str, Any]) -> Item | None:
    return read_attributes(response["Item"]) if "Item" in response else None
