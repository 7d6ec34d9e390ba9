"""Alarms and widgets use emitted metrics, and the documentation describes each of them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make
from tests.documents import ROOT
from tests.integration.stack.template_file import codes, resources, template

from bgblur.serving.proxy_events import InvocationContext
from blur import audit_handler, job_handler
from blur.app import build_app
from blur.errors import ApiError
from blur.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["resources", "template"]  # the tests use these fixtures

NAMESPACE = "BackgroundBlur"
OF_AWS = {
    ("AWS/ApiGateway", ("ApiName", "Stage")): {"5XXError", "Latency"},
    ("AWS/DynamoDB", ("TableName",)): {"ConsumedWriteCapacityUnits", "WriteThrottleEvents"},
    ("AWS/Lambda", ("FunctionName",)): {"ConcurrentExecutions", "Duration", "Errors", "Throttles"},
    ("AWS/SQS", ("QueueName",)): {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
    },
    ("AWS/Lambda", ("FunctionName", "Resource")): {"ProvisionedConcurrencySpilloverInvocations"},
    ("AWS/Usage", ("Class", "Resource", "Service", "Type")): {"ResourceCount"},
}
"""The metrics that AWS publishes, from the user guides of AWS, by namespace and dimensions."""
SAME = "."
ALL_SAME = "..."


@dataclass(frozen=True)
class Metric:
    """A metric's full name."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


@pytest.fixture
def body(resources: dict[str, Any]) -> dict[str, Any]:
    """Return the dashboard."""
    read: dict[str, Any] = json.loads(resources["Dashboard"]["DashboardBody"])
    return read


@pytest.fixture
def alarms(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each alarm's properties."""
    kind = "AWS::CloudWatch::Alarm"
    of_kind = {name: each for name, each in template["Resources"].items() if each["Type"] == kind}
    return {name: each["Properties"] for name, each in of_kind.items()}


@pytest.fixture
def emitted(tmp_path: Path, model_dir: Path, capsys: pytest.CaptureFixture[str]) -> set[Metric]:
    """Return the metrics that the functions emit for responses, error codes, audits and jobs."""
    settings = Settings(accounts=f"sqlite:{tmp_path / 'accounts.db'}", model_dir=model_dir)
    handler = build_app(settings, logger=Logger(service="test-dashboard", stream=io.StringIO()))
    handler(make.event("GET", "/health"), InvocationContext())
    line = json.loads(capsys.readouterr().out)
    (documented,) = line["_aws"]["CloudWatchMetrics"]
    ((dimension,),) = documented["Dimensions"]
    names = {metric["Name"] for metric in documented["Metrics"]} | codes(ApiError)
    names |= {audit_handler.ACCOUNTS, audit_handler.DIFFERENCES}
    names |= {job_handler.RETRIED, *job_handler.ENDED.values()}
    for handlers in (audit_handler, job_handler):
        assert (NAMESPACE, line[dimension]) == (handlers.NAMESPACE, handlers.SERVICE)
    dimensions = ((dimension, line[dimension]),)
    return {Metric(documented["Namespace"], name, dimensions) for name in names}


def test_every_custom_metric_in_the_template_is_emitted_by_the_code(
    body: dict[str, Any], alarms: dict[str, dict[str, Any]], emitted: set[Metric]
) -> None:
    ours = {metric for metric in watched_metrics(body, alarms) if metric.namespace == NAMESPACE}
    assert {"Answers", "Duration"} < {metric.name for metric in ours}
    assert ours - emitted == set()


def test_every_metric_in_the_template_that_is_not_custom_is_published_by_aws(
    body: dict[str, Any], alarms: dict[str, dict[str, Any]]
) -> None:
    others = {metric for metric in watched_metrics(body, alarms) if metric.namespace != NAMESPACE}
    assert {metric.namespace for metric in others} == {namespace for namespace, _ in OF_AWS}
    for metric in others:
        named = tuple(sorted(name for name, _ in metric.dimensions))
        assert metric.name in OF_AWS[metric.namespace, named]


def test_every_alarm_notifies_the_topic_and_is_not_raised_by_missing_data(
    alarms: dict[str, dict[str, Any]],
) -> None:
    assert len(alarms) == 16
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [["OwnsAlarmTopic", "AlarmTopic", "AlarmTopicArn"]], name
        assert alarm["OKActions"] == alarm["AlarmActions"], name
        assert alarm["TreatMissingData"] == "notBreaching", name


def test_without_a_topic_as_parameter_the_stack_creates_a_topic_for_the_email_address(
    template: dict[str, Any],
) -> None:
    resources, conditions = template["Resources"], template["Conditions"]
    assert template["Parameters"]["AlarmTopicArn"]["Default"] == ""
    assert resources["AlarmTopic"]["Condition"] == "OwnsAlarmTopic"
    assert conditions["OwnsAlarmTopic"] == ["AlarmTopicArn", ""]
    subscription = resources["AlarmSubscription"]
    assert subscription["Condition"] == "SendsEmail"
    assert subscription["Properties"]["Endpoint"] == "AlarmEmail"
    assert conditions["SendsEmail"] == ["OwnsAlarmTopic", [["AlarmEmail", ""]]]


def test_alarm_for_internal_errors_rolls_a_new_version_back(resources: dict[str, Any]) -> None:
    preference = resources["BlurFunction"]["DeploymentPreference"]
    assert "InternalErrorsAlarm" in preference["Alarms"]


def test_concurrency_alarm_uses_the_quota_if_no_concurrency_is_reserved(
    alarms: dict[str, dict[str, Any]],
) -> None:
    (share, *others) = alarms["ConcurrencyAlarm"]["Metrics"]
    assert share["Expression"] == [
        "ReservesConcurrency",
        "100 * own / ${ReservedConcurrency}",
        "100 * all / SERVICE_QUOTA(all)",
    ]
    assert [(each["Id"], each["ReturnData"]) for each in others] == [("own", False), ("all", False)]


def test_the_number_of_warm_environments_is_scaled_only_if_a_maximum_is_set(
    template: dict[str, Any],
) -> None:
    resources = template["Resources"]
    for name in ("WarmEnvironments", "WarmEnvironmentsPolicy"):
        assert resources[name]["Condition"] == "ScalesProvisionedConcurrency"
    target = resources["WarmEnvironments"]["Properties"]
    assert target["ResourceId"] == "function:${BlurFunction}:live"
    assert resources["BlurFunction"]["Properties"]["AutoPublishAlias"] == "live"
    assert target["MinCapacity"] == "ProvisionedConcurrency"
    assert target["MaxCapacity"] == "MaxProvisionedConcurrency"
    assert template["Parameters"]["MaxProvisionedConcurrency"]["Default"] == 0


def test_the_documentation_describes_each_alarm_and_each_widget(
    body: dict[str, Any], alarms: dict[str, dict[str, Any]]
) -> None:
    rows = (ROOT / "docs" / "operations.md").read_text("utf-8").splitlines()
    documented = {row.split("|")[1].strip().strip("`*") for row in rows if row.startswith("| ")}
    titles = {widget["properties"]["title"] for widget in body["widgets"]}
    assert (titles | set(alarms)) - documented == set()


def watched_metrics(body: dict[str, Any], alarms: dict[str, dict[str, Any]]) -> set[Metric]:
    found = {
        Metric(
            metric["Namespace"],
            metric["MetricName"],
            tuple((each["Name"], each["Value"]) for each in metric["Dimensions"]),
        )
        for alarm in alarms.values()
        for metric in metrics_of(alarm)
    }
    for widget in body["widgets"]:
        before: list[str] = []
        for row in widget["properties"]["metrics"]:
            before = spelled_out([part for part in row if isinstance(part, str)], before)
            namespace, name, *rest = before
            found.add(Metric(namespace, name, tuple(zip(rest[::2], rest[1::2], strict=True))))
    return found


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that an alarm watches, including metrics in an expression."""
    parts = alarm.get("Metrics", [])
    return [part["MetricStat"]["Metric"] for part in parts if "MetricStat" in part] or [alarm]


def spelled_out(row: list[str], before: list[str]) -> list[str]:
    """Return a widget's metric in full: replace `.` and `...` with values of the previous metric.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    if row[0] == ALL_SAME:
        return [*before[: len(before) - len(row) + 1], *row[1:]]
    return [before[place] if part == SAME else part for place, part in enumerate(row)]
