"""The distributed store: `AccountStore` in one DynamoDB table, which `table` defines.

This is the only module that knows boto: it sends requests and says what became of them. It
uses botocore, the part of boto3 that does so, which imports in less time. What is sent is
decided in `calls`, `holds`, `records` and `admin`.

Endpoint, region and credentials come from where boto finds them: the environment (among it
`AWS_ENDPOINT_URL_DYNAMODB`), its files, or the machine's role.
"""

from __future__ import annotations

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

from blur.accounts.dynamo.accounts import DynamoAccounts
from blur.accounts.dynamo.table import ConditionFailedError, Send, unreachable
from blur.accounts.dynamo.values import Item, unmarshal_item
from blur.aws import session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.client import DynamoDBClient

CONNECT_S = 0.3
READ_S = 0.6
LATEST_START_S = 1.0
"""When a call of the store sends its last request; that and both time-outs are below 2 s."""
PAUSE_S = 0.05
"""Before the second delivery of a request, and twice as long before each further one."""

MOST_CONNECTIONS = 64

PASSING = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Errors that another delivery may not meet
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)."""

ASKED = {"ReturnConsumedCapacity": "TOTAL"}
"""Asked of every operation, for what answers it is DynamoDB. Of a write that was lost on the way
`{}` would else be the whole of a good answer, and botocore takes any text for that."""
BROUGHT = "ConsumedCapacity"


def open_client() -> DynamoDBClient:
    """Build a client that gives up soon and repeats nothing by itself; no request is sent.

    Of botocore's ways to repeat, only the legacy one compares an answer with its checksum where
    it may not repeat: the standard one believes the answer.

    Raises:
        ValueError: the environment names no region.

    """
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"total_max_attempts": 1, "mode": "legacy"},
        max_pool_connections=MOST_CONNECTIONS,
    )
    try:
        client = session().create_client("dynamodb", config=config)
    except NoRegionError as error:
        message = "no AWS region is set; set AWS_DEFAULT_REGION"
        raise ValueError(message) from error
    return cast("DynamoDBClient", client)


class DynamoAccountStore(DynamoAccounts):
    """`AccountStore` in a DynamoDB table; usable from many threads.

    Every method raises `UnavailableError` within two seconds when DynamoDB is throttled, out
    of reach or makes no sense; the cause is chained to it. A write may have arrived all the
    same: then a hold expires by itself, and any other method can be repeated.
    """

    def __init__(self, table_name: str, client: DynamoDBClient) -> None:
        """Keep the client."""
        super().__init__(table_name, self._sender)
        self._client = client

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    def _sender(self) -> Send:
        return _Sender(self._client, time.monotonic() + LATEST_START_S)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Delivers requests, again where that may help, until it is too late to begin."""

    client: Any
    latest_start: float

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        # One token for all deliveries of a transaction: DynamoDB knows them by it.
        if operation == "transact_write_items":
            request = {**request, "ClientRequestToken": str(uuid4())}
        pause_s, cause = 0.0, None
        while time.monotonic() + pause_s <= self.latest_start:
            time.sleep(pause_s)
            try:
                return self._deliver(operation, request)
            except _PassingError as passing:
                cause = passing
            pause_s = 2 * pause_s or PAUSE_S
        raise unreachable() from cause

    def _deliver(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self.client, operation)(**request, **ASKED)
        except ClientError as error:
            raise _meaning(error) from error
        except ParamValidationError:
            raise
        except (BotoCoreError, ResponseParserError, AttributeError, TypeError, ValueError) as error:
            # What is no answer of DynamoDB's comes out of the parser as any of these.
            raise _PassingError from error
        if BROUGHT not in answer or "RequestId" not in answer["ResponseMetadata"]:
            raise _PassingError
        return answer


class _PassingError(Exception):
    """This delivery failed; another one may not."""


def _meaning(error: ClientError) -> Exception:
    code, response = error.response["Error"]["Code"], error.response
    if code == "ConditionalCheckFailedException":
        return ConditionFailedError([_old(response)])
    if code == "TransactionCanceledException":
        parts = response.get("CancellationReasons", [])
        if any(part["Code"] == "ConditionalCheckFailed" for part in parts):
            return ConditionFailedError([_old(part) for part in parts])
        return _PassingError()
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    if code in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _PassingError()
    return error if code == "ValidationException" else unreachable()


def _old(response: Mapping[str, Any]) -> Item | None:
    return unmarshal_item(response["Item"]) if "Item" in response else None
