"""Searches the output of all e2e tests for keys and photos of the run; this file runs last.

This file first makes calls of every kind, including one with an internal error. So there is output
to search even if only this file runs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests
from botocore.session import get_session
from events import make
from tests.attack.traces import files, found, key_forms, photo_forms
from tests.e2e import machine
from tests.e2e.conftest import BUCKET, TABLE
from tests.e2e.customers import new_customer
from tests.e2e.test_api import post
from tests.e2e.test_invoke import grainy_photo
from tests.e2e.test_storage import blur, grained, uploaded
from tests.trials import Part, record

from blur.accounts import keys
from blur.accounts.dynamo import schema
from blur.accounts.dynamo.values import marshal_item

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.customers import Customer

    from blur.accounts.ports import AccountStore

Written = list[tuple[str, bytes]]

GIVEN = ["event.json", "env.json"]
"""The tests' input files for sam, which contain keys and photos."""
SAMS_OWN = re.compile(rb"^.* 127\.0\.0\.1 - - \[.*$", re.MULTILINE)
"""sam's server logs each request with its path. API Gateway logs only the configured fields,
without paths: `tests/integration/stack/test_template_secrecy.py`."""
LONG_BASE64 = re.compile(rb"[A-Za-z0-9+/]{400}")
"""Base64 that is longer than any digest or id; a picture's base64 has thousands of characters."""


@pytest.fixture
def sent() -> list[bytes]:
    """Return the files of all photos that the run sends."""
    return [make.jpeg(), make.flat(), make.huge(), grainy_photo(), grained()]


@pytest.fixture(scope="module")
def broken(dynamodb: Any, store: AccountStore, issued: list[str], url: str) -> str:  # noqa: ANN401 - an object of `DynamoDBLocal`
    """Remove an attribute of a key from the table; return the request id of a call with the key."""
    assert dynamodb
    victim = new_customer(store, issued)
    key = keys.parse(victim.key)
    client("dynamodb").update_item(
        TableName=TABLE,
        Key=marshal_item(dict(schema.account_key(key.account_id))),
        UpdateExpression="REMOVE #keys.#digest.m",
        ExpressionAttributeNames={"#keys": "keys", "#digest": key.digest},
        ConditionExpression="attribute_exists(#keys.#digest.m)",
    )
    answer = post(url, victim.key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    request_id: str = answer.json()["error"]["request_id"]
    return request_id


@dataclass(frozen=True, slots=True)
class Calls:
    """The results of the calls that later checks need: a request id and a log file."""

    failed_id: str
    """The request id of the call with an internal error."""
    invoke_log: Path


@pytest.fixture(scope="module")
def customer(store: AccountStore, issued: list[str]) -> Customer:
    """Create an account for the calls that succeed."""
    return new_customer(store, issued)


@pytest.fixture(scope="module")
def calls(
    url: str,
    customer: Customer,
    variables: dict[str, str],
    broken: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Calls:
    """Make one call of each kind; the fixture `broken` makes the call with an internal error."""
    folder = tmp_path_factory.mktemp("calls")
    assert post(url, customer.key).status_code == 200
    for strange in (customer.key[:-1], customer.key.lower(), make.UNKNOWN):
        assert post(url, strange).status_code == 401
    stray = requests.get(f"{url}/v2/account/{customer.key}", timeout=60)
    assert stray.status_code == 404
    upload = {"upload_id": (None, uploaded(url, customer, grained()))}
    assert blur(url, customer, upload, follow=False).status_code == 303
    answer = machine.invoke(make.blur(customer.key), variables, folder)
    assert answer is not None
    return Calls(broken, folder / "invoke.log")


def test_no_log_no_item_and_no_object_metadata_contains_a_key_or_a_photo(
    calls: Calls,
    issued: list[str],
    sent: list[bytes],
    s3: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    logs = [(where, SAMS_OWN.sub(b"", content)) for where, content in files(machine.LOGS)]
    logs += files(tmp_path_factory.getbasetemp(), leaving_out=GIVEN)
    items, objects = list(items_of(TABLE)), list(objects_of(s3))
    written = [*logs, *items, *objects]
    require_whole(logs, items, objects, broken=calls.failed_id, key=issued[-1])
    forms = {**key_forms(issued), **photo_forms(sent)}
    assert found(forms, written) == set()
    size_kb = sum(len(content) for _, content in written) // 1000
    record(
        Part.SECURITY,
        "Search for keys and photos in everything that a run in containers writes",
        f"{len(issued)} keys and {len(sent)} photos, as {len(forms)} byte strings; {size_kb} kB of "
        f"logs and metrics, {len(items)} items, names and metadata of {len(objects)} objects",
        "none found",
        by="tests/e2e/test_traces.py",
    )


def test_the_functions_logs_contain_no_image_data(calls: Calls) -> None:
    logs = [machine.LOGS / "start-api.log", calls.invoke_log]
    assert [path.name for path in logs if LONG_BASE64.search(path.read_bytes())] == []


def require_whole(
    logs: Written, items: Written, objects: Written, *, broken: str, key: str
) -> None:
    """Check that the search covers the run's output: known texts are found in the output."""
    [log] = [content.decode() for where, content in logs if where.endswith("start-api.log")]
    assert '"_aws"' in log
    assert '"answered"' in log
    traceback = next(line for line in log.splitlines() if broken in line and "Traceback" in line)
    assert "KeyError" in traceback
    assert any(where.endswith("invoke.log") and b"answered" in content for where, content in logs)
    assert any(keys.parse(key).digest.encode() in content for _, content in items)
    assert {where.partition("/")[0] for where, _ in objects} == {"results", "uploads"}


def items_of(table: str) -> Iterator[tuple[str, bytes]]:
    for page in client("dynamodb").get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            yield f"item {item['pk']['S']}", json.dumps(item, default=repr).encode()


def objects_of(s3: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the metadata of each object."""
    head = partial(client("s3", endpoint_url=s3).head_object, Bucket=BUCKET)
    for page in (
        client("s3", endpoint_url=s3).get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    ):
        for each in page["Contents"]:
            description = {"name": each["Key"], **head(Key=each["Key"])}
            yield each["Key"], json.dumps(description, default=repr).encode()


def client(service: str, **options: Any) -> Any:  # noqa: ANN401 - botocore makes its classes at run time
    """Return a separate client, with permissions that the function does not have."""
    return get_session().create_client(service, region_name="eu-central-1", **options)
