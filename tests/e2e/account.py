"""The resources of an AWS account in the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.deployment import Deployment

LOG_GROUP = "log group"
LISTS: dict[str, tuple[str, str, str, str]] = {
    "alarm": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "api": ("apigateway", "get_rest_apis", "items", "id"),
    "bucket": ("s3", "list_buckets", "Buckets", "Name"),
    "dashboard": ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "function": ("lambda", "list_functions", "Functions", "FunctionName"),
    LOG_GROUP: ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "poller": ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    "role": ("iam", "list_roles", "Roles", "RoleName"),
    "rule": ("events", "list_rules", "Rules", "Name"),
    "table": ("dynamodb", "list_tables", "TableNames", ""),
    "topic": ("sns", "list_topics", "Topics", "TopicArn"),
    "queue": ("sqs", "list_queues", "QueueUrls", ""),
}
"""For each kind of resource: the AWS service, its operation that lists the resources, the field of
the response with the list, and the field with a resource's name."""
OF_SAM = "aws-sam-cli-managed-default"
"""The stack that sam creates once for each AWS account: a bucket for templates."""


def resources_of(deployment: Deployment, deletion_began: float) -> dict[str, set[str]]:
    """Return the names of the AWS account's resources by kind, without sam's own resources.

    Log groups that were created after the deletion of the stack began, at this Unix time in
    seconds, are left out: a call that runs during the deletion ends after it, and the emulator
    creates a new group for the call's log.
    """
    found = {}
    for kind, (service, operation, name, field) in LISTS.items():
        items = getattr(deployment.client(service), operation)().get(name, [])
        if kind == LOG_GROUP:
            items = [each for each in items if each["creationTime"] < deletion_began * 1000]
        names = {each[field] if field else each for each in items}
        if mine := {each for each in names if not each.startswith(OF_SAM)}:
            found[kind] = mine
    return found


def empty_bucket(deployment: Deployment) -> None:
    """Delete all objects in the bucket."""
    s3, bucket = deployment.client("s3"), deployment.outputs["Bucket"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", ()):
            s3.delete_object(Bucket=bucket, Key=each["Key"])
