"""The queue, the worker and the keeper of bulk jobs in the template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.stack.template_file import resources, statements, template

from blur import job_keeper_handler
from blur.jobs.runner import MAX_ATTEMPTS
from blur.jobs.sqs import QUEUE_URL
from blur.settings import ON_LAMBDA, Settings
from blur.skew import CLOCK_SKEW_S
from blur.storage.job_bucket import JOB_RESULT_PREFIX, JOB_SOURCE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["resources", "template"]  # the tests use these fixtures

DAY_S = 24 * 3600


@pytest.fixture
def queue(resources: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of the queue."""
    found: dict[str, Any] = resources["JobQueue"]
    return found


@pytest.fixture
def photos(resources: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of the event source through which the worker gets photos."""
    (source,) = resources["JobWorkerFunction"]["Events"].values()
    assert source["Type"] == "SQS"
    properties: dict[str, Any] = source["Properties"]
    return properties


def settings_of(function: Mapping[str, Any], parameters: Mapping[str, Any]) -> Settings:
    """Return a function's settings on Lambda, with the parameters' defaults."""
    variables = function["Environment"]["Variables"].items()
    text = {
        name: str(parameters[value]["Default"]) if value in parameters else value
        for name, value in variables
        if name.startswith("BLUR_")
    }
    return Settings.from_environ({**text, ON_LAMBDA: "any"})


def test_a_message_is_not_delivered_again_while_its_worker_can_still_process_it(
    queue: dict[str, Any], resources: dict[str, Any]
) -> None:
    assert queue["VisibilityTimeout"] >= 6 * resources["JobWorkerFunction"]["Timeout"]


def test_the_hold_of_a_killed_worker_expires_before_the_next_delivery(
    queue: dict[str, Any], template: dict[str, Any]
) -> None:
    function = template["Resources"]["JobWorkerFunction"]["Properties"]
    settings = settings_of(function, template["Parameters"])
    assert settings.timeout_s == function["Timeout"]
    assert function["Timeout"] < settings.hold_ttl_s < queue["VisibilityTimeout"]
    assert settings.deadline_margin_s < function["Timeout"]


@pytest.mark.parametrize("name", ["JobWorkerFunction", "JobKeeperFunction"])
def test_the_job_functions_use_the_same_stores_and_prices_as_the_api(
    name: str, template: dict[str, Any]
) -> None:
    resources, parameters = template["Resources"], template["Parameters"]
    api, function = (
        settings_of(resources[each]["Properties"], parameters) for each in ("BlurFunction", name)
    )
    for field in ("accounts", "media", "price", "price_person"):
        assert getattr(function, field) == getattr(api, field), field
    ours = resources[name]["Properties"]["Environment"]["Variables"]
    theirs = resources["BlurFunction"]["Properties"]["Environment"]["Variables"]
    same = set(ours) & set(theirs) - {"BLUR_TIMEOUT_S", "BLUR_HOLD_TTL_S"}
    assert {each: ours[each] for each in same} == {each: theirs[each] for each in same}


def test_worker_gets_one_message_at_a_time_and_reports_failed_messages(
    photos: dict[str, Any],
) -> None:
    assert photos["BatchSize"] == 1
    assert photos["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_bulk_jobs_use_a_limited_number_of_lambda_environments(
    photos: dict[str, Any], template: dict[str, Any]
) -> None:
    parameter = template["Parameters"]["BulkConcurrency"]
    assert (parameter["MinValue"], parameter["MaxValue"]) == (2, 1000)  # these are Lambda's limits
    assert photos["ScalingConfig"] == {"MaximumConcurrency": "BulkConcurrency"}
    function = template["Resources"]["JobWorkerFunction"]["Properties"]
    # If the event source could start more executions than are reserved, Lambda would reject
    # messages, and each rejected message counts as delivered.
    assert function["ReservedConcurrentExecutions"] == [
        "ReservesBulk",
        "BulkConcurrency",
        "AWS::NoValue",
    ]
    assert template["Conditions"]["ReservesBulk"] == ["BulkReserved", "yes"]
    assert template["Parameters"]["BulkReserved"]["Default"] == "no"


def test_only_messages_that_fail_many_times_become_dead_letters(
    queue: dict[str, Any], resources: dict[str, Any]
) -> None:
    redrive = queue["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == "JobDeadLetters.Arn"
    # When MAX_ATTEMPTS workers have been killed, SQS delivers the message once more. The worker
    # that gets this message stores that the photo has failed.
    assert redrive["maxReceiveCount"] > MAX_ATTEMPTS + 1
    dead = resources["JobDeadLetters"]
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"] == 7 * DAY_S


def test_only_new_photos_of_jobs_cause_messages(
    resources: dict[str, Any], template: dict[str, Any]
) -> None:
    bucket = resources["MediaBucket"]
    (notification,) = bucket["NotificationConfiguration"]["QueueConfigurations"]
    assert (notification["Event"], notification["Queue"]) == ("s3:ObjectCreated:*", "JobQueue.Arn")
    (rule,) = notification["Filter"]["S3Key"]["Rules"]
    assert rule == {"Name": "prefix", "Value": JOB_SOURCE_PREFIX}
    assert template["Resources"]["MediaBucket"]["DependsOn"] == "JobQueuePolicy"


def test_queue_policy_allows_messages_only_from_s3_for_this_aws_account(
    resources: dict[str, Any],
) -> None:
    (statement,) = resources["JobQueuePolicy"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    conditions = statement["Condition"]
    assert conditions["StringEquals"] == {"aws:SourceAccount": "AWS::AccountId"}
    assert conditions["ArnLike"] == {"aws:SourceArn": "arn:${AWS::Partition}:s3:*:*:*"}


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        (
            "BlurRole",
            {
                ("s3:GetObject", "results/*"),
                ("s3:GetObject", "uploads/*"),
                ("s3:PutObject", "results/*"),
                ("s3:PutObject", "uploads/*"),
                ("s3:PutObject", f"{JOB_SOURCE_PREFIX}*"),
                ("s3:GetObject", f"{JOB_RESULT_PREFIX}*"),
            },
        ),
        (
            "JobWorkerRole",
            {("s3:GetObject", f"{JOB_SOURCE_PREFIX}*"), ("s3:PutObject", f"{JOB_RESULT_PREFIX}*")},
        ),
        ("JobKeeperRole", {("s3:ListBucket", "")}),
    ],
)
def test_each_role_can_access_only_its_prefixes_of_the_bucket(
    role: str, actions: set[tuple[str, str]], resources: dict[str, Any]
) -> None:
    allowed = set()
    for statement in statements(resources, role):
        named = statement["Resource"]
        for name in named if isinstance(named, list) else [named]:
            prefix = name.partition(".Arn}/")[2]
            allowed |= {(each, prefix) for each in statement["Action"] if each[:3] == "s3:"}
    assert allowed == actions


def test_the_job_keeper_can_list_only_photos_of_jobs(resources: dict[str, Any]) -> None:
    (listing,) = (
        each for each in statements(resources, "JobKeeperRole") if "s3:ListBucket" in each["Action"]
    )
    assert listing["Condition"] == {"StringLike": {"s3:prefix": f"{JOB_SOURCE_PREFIX}*"}}


def test_only_job_worker_and_keeper_can_send_messages_and_only_the_worker_can_delete_them(
    resources: dict[str, Any],
) -> None:
    roles = ("BlurRole", "JobWorkerRole", "JobKeeperRole")
    actions = {
        role: {
            action
            for each in statements(resources, role)
            for action in each["Action"]
            if action.startswith("sqs:")
        }
        for role in roles
    }
    assert actions == {
        "BlurRole": set(),
        "JobWorkerRole": {
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
        },
        "JobKeeperRole": {"sqs:GetQueueAttributes", "sqs:SendMessage"},
    }


def test_the_times_in_job_keeper_handler_match_the_schedule_and_timeouts_of_the_template(
    queue: dict[str, Any], resources: dict[str, Any]
) -> None:
    keeper = resources["JobKeeperFunction"]
    (schedule,) = (each["Properties"] for each in keeper["Events"].values())
    assert schedule["Schedule"] == "rate(1 minute)"
    assert job_keeper_handler.PERIOD_S == 60
    assert 2 * queue["VisibilityTimeout"] < job_keeper_handler.RETRY_S
    timeout_s = resources["JobWorkerFunction"]["Timeout"]
    assert timeout_s + CLOCK_SKEW_S == job_keeper_handler.WORKER_S
    for name in ("JobWorkerFunction", "JobKeeperFunction"):
        assert resources[name]["Environment"]["Variables"][QUEUE_URL] == "JobQueue"
