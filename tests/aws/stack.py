"""The part of template.yaml that processes bulk jobs, deployed in ministack.

The functions run as processes of this machine instead of containers, with the template's roles. The
bucket has no policy, because the template's policy denies every request without TLS.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml
from tests.aws.ministack import PYTHONPATH, ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.aws.ministack import Ministack

STACK = "bulk"
FUNCTIONS = ("JobWorkerFunction", "JobKeeperFunction")
ROLES = ("JobWorkerRole", "JobKeeperRole")
PARTS = (
    "AccountsTable",
    "JobDeadLetters",
    "JobKeeperLogGroup",
    "JobQueue",
    "JobQueuePolicy",
    "JobWorkerLogGroup",
    "MediaBucket",
    *FUNCTIONS,
    *ROLES,
)
CODE = ("code", "code.zip")
"""Bucket and key of the functions' code: an empty archive, because the code is in PYTHONPATH."""
WORKERS = 2
"""The largest number of concurrent workers."""
COUNTED = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
DEPLOY_S = 120


class Loader(yaml.SafeLoader):
    """Loads YAML, with CloudFormation's short functions, such as `!Ref`, in their long form."""


def _function(loader: yaml.Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        argument: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    else:
        argument = loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)
    if suffix == "GetAtt":
        argument = argument.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": argument}


Loader.add_multi_constructor("!", _function)


@dataclass(frozen=True, slots=True)
class Stack:
    """The deployed stack."""

    emulator: Ministack
    bucket: str
    queue_url: str
    dead_letters_url: str
    functions: Mapping[str, str]
    """The name of each deployed function, by its name in the template."""

    def message_count(self, url: str) -> int:
        """Return the number of messages in a queue, including those that a worker has received."""
        sqs = self.emulator.client("sqs")
        values = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTED))["Attributes"]
        return sum(int(values[name]) for name in COUNTED)


def deploy(
    emulator: Ministack, *, visibility_s: int, variables: Mapping[str, str], worker: str = ""
) -> Stack:
    """Deploy the template; add `variables` to the environment of the functions.

    A message that was not processed is delivered again after `visibility_s`, not after the
    template's six minutes. `worker`, if given, replaces the handler of the function that
    processes photos.
    """
    s3 = emulator.client("s3")
    location = {"LocationConstraint": s3.meta.region_name}
    s3.create_bucket(Bucket=CODE[0], CreateBucketConfiguration=location)
    s3.put_object(Bucket=CODE[0], Key=CODE[1], Body=_empty_archive())
    template = local_template(visibility_s, variables)
    if worker:
        template["Resources"]["JobWorkerFunction"]["Properties"]["Handler"] = worker
    client = emulator.client("cloudformation")
    client.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def state() -> str:
        (stack,) = client.describe_stacks(StackName=STACK)["Stacks"]
        return str(stack["StackStatus"])

    wait_until(lambda: state() != "CREATE_IN_PROGRESS", DEPLOY_S, state)
    events = client.describe_stack_events(StackName=STACK)["StackEvents"]
    assert state() == "CREATE_COMPLETE", [e for e in events if "FAILED" in e["ResourceStatus"]]
    resources = client.describe_stack_resources(StackName=STACK)["StackResources"]
    ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
    return Stack(
        emulator,
        bucket=ids["MediaBucket"],
        queue_url=ids["JobQueue"],
        dead_letters_url=ids["JobDeadLetters"],
        functions={name: ids[name] for name in FUNCTIONS},
    )


def local_template(visibility_s: int, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the part of the template for jobs, changed so that its functions run as processes."""
    text = Path(ROOT / "template.yaml").read_text("utf-8")
    template: dict[str, Any] = yaml.load(text, Loader)  # noqa: S506 - `Loader` is a SafeLoader
    template["Resources"] = {name: template["Resources"][name] for name in PARTS}
    del template["Outputs"], template["Globals"]
    template["Resources"]["JobQueue"]["Properties"]["VisibilityTimeout"] = visibility_s
    allow_batches(template)
    for name in FUNCTIONS:
        function = template["Resources"][name]
        del function["Metadata"]
        properties = function["Properties"]
        del properties["PackageType"]
        (properties["Handler"],) = properties.pop("ImageConfig")["Command"]
        properties |= {
            "Runtime": "python3.13",
            "CodeUri": dict(zip(("Bucket", "Key"), CODE, strict=True)),
        }
        for event in properties["Events"].values():
            if "ScalingConfig" in event["Properties"]:
                # Parameters are text, and the emulator does not convert them to numbers.
                event["Properties"]["ScalingConfig"] = {"MaximumConcurrency": WORKERS}
        own = properties["Environment"]["Variables"]
        own |= {"PYTHONPATH": PYTHONPATH, **variables}
    return template


def allow_batches(template: Mapping[str, Any]) -> None:
    """Allow the functions' roles to send messages in batches.

    On AWS, sqs:SendMessage allows batches too. The emulator has a separate action for batches.
    """
    for name in ROLES:
        (policy,) = template["Resources"][name]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]:
            if "sqs:SendMessage" in statement["Action"]:
                statement["Action"].append("sqs:SendMessageBatch")


def _empty_archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("README", "The code comes from PYTHONPATH.")
    return file.getvalue()
