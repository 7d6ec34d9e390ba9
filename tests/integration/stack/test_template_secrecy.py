"""The stack's logs contain no secrets from requests, and the bucket's objects cannot be listed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.stack.template_file import resources, statements, template

from blur.storage.job_bucket import JOB_RESULT_PREFIX, JOB_SOURCE_PREFIX
from blur.storage.large_results import RESULT_PREFIX
from blur.storage.owned_uploads import UPLOAD_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["resources", "template"]

LOGGED = {
    "requestId",
    "requestTimeEpoch",
    "httpMethod",
    "status",
    "responseLength",
    "responseLatency",
    "integrationLatency",
    "error.responseType",
}
"""The fields in the access log of API Gateway; none of them can contain a client's key."""
LISTS = {"s3:ListBucket", "s3:ListAllMyBuckets", "dynamodb:Scan", "dynamodb:Query"}


def each(of: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any YAML value
    """Yield each key of a YAML document with its value, at any depth."""
    if isinstance(of, dict):
        yield from of.items()
    for inner in of.values() if isinstance(of, dict) else of if isinstance(of, list) else ():
        yield from each(inner)


def test_the_access_log_has_no_header_no_path_and_no_address(resources: dict[str, Any]) -> None:
    log_format = resources["Api"]["AccessLogSetting"]["Format"]
    assert set(re.findall(r"\$context\.([\w.]+)", log_format)) == LOGGED
    assert json.loads(log_format)["request_id"] == "req_$context.requestId"


@pytest.mark.parametrize("switch", ["DataTraceEnabled", "LoggingLevel", "TracingEnabled"])
def test_template_enables_no_log_of_whole_requests(switch: str, template: dict[str, Any]) -> None:
    assert switch not in dict(each(template))


def test_the_firewall_stores_no_samples_of_requests(resources: dict[str, Any]) -> None:
    acl = resources["WebAcl"]
    seen = [acl["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in acl["Rules"])]
    assert [each["SampledRequestsEnabled"] for each in seen] == [False] * 3


def test_bucket_blocks_public_access_and_requires_tls(
    resources: dict[str, Any],
) -> None:
    assert set(resources["MediaBucket"]["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = resources["MediaBucketPolicy"]["PolicyDocument"]["Statement"]
    assert (rule["Effect"], rule["Action"]) == ("Deny", "s3:*")
    assert rule["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_function_can_list_photos_only_with_the_id_of_their_job(
    resources: dict[str, Any],
) -> None:
    (lists,) = (each for each in statements(resources) if set(each["Action"]) & LISTS)
    assert lists["Action"] == ["dynamodb:Query"]
    keys = {"dynamodb:LeadingKeys": ["JOB#*"]}
    assert lists["Condition"] == {"ForAllValues:StringLike": keys}
    actions = {action for each in statements(resources) for action in each["Action"]}
    assert {action for action in actions if action.startswith("s3:")} == {
        "s3:GetObject",
        "s3:PutObject",
    }


def test_images_are_deleted_after_a_day_and_images_of_jobs_after_a_week(
    resources: dict[str, Any],
) -> None:
    rules = resources["MediaBucket"]["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}
    assert expiring == {
        RESULT_PREFIX: 1,
        UPLOAD_PREFIX: 1,
        JOB_SOURCE_PREFIX: 7,
        JOB_RESULT_PREFIX: 7,
    }
    (rest,) = (rule for rule in rules if "Prefix" not in rule)
    assert rest["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert "VersioningConfiguration" not in resources["MediaBucket"]


def test_no_environment_variable_of_the_function_is_named_like_a_secret(
    resources: dict[str, Any],
) -> None:
    variables = resources["BlurFunction"]["Environment"]["Variables"]
    assert variables
    assert not [name for name in variables if re.search("KEY|SECRET|TOKEN|PASSWORD", name)]
