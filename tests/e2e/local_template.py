"""The built template, without the parts that the emulator cannot deploy.

docs/operations.md lists the differences between the emulator and AWS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from tests.aws.stack import Loader, allow_batches
from tests.e2e import machine

IMAGE = f"localhost/{machine.IMAGE}"
"""The image's name. It starts with a registry; without a registry in the name, sam would push the
image."""
RUNTIME = "/emulator"
"""The path of Lambda's Runtime Interface Emulator in the containers. On AWS, Lambda itself runs the
image."""
NOT_DEPLOYED = {
    "ConcurrencyAlarm": "the emulator does not support alarms on metric math expressions",
    "MediaBucketPolicy": "it requires TLS, which the emulator does not have here",
}
ENDPOINTS = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3")
WORKERS = 2
"""The number of workers of bulk jobs that run at the same time."""
FUNCTION = "AWS::Serverless::Function"


def local_template(built: Path, url: str) -> dict[str, Any]:
    """Return the template for an emulator at this URL.

    The functions of the template call the emulator instead of AWS. Traffic moves to a new version
    at once, because the emulator has no CodeDeploy.
    """
    template: dict[str, Any] = yaml.load(built.read_text("utf-8"), Loader)  # noqa: S506 - `Loader` is a SafeLoader
    resources = template["Resources"]
    # CloudFormation requires `*~1*` for this type, but the emulator does not support this form.
    resources["Api"]["Properties"]["BinaryMediaTypes"] = ["*/*"]
    for name in NOT_DEPLOYED:
        del resources[name]
    # Docker forgets an image's command if the image's entry point is replaced.
    image = {
        "EntryPoint": [RUNTIME, *machine.entry_point(machine.IMAGE)],
        "Command": machine.command(machine.IMAGE),
    }
    for resource in resources.values():
        if resource["Type"] == FUNCTION:
            properties = resource["Properties"]
            properties["ImageUri"] = IMAGE
            properties["ImageConfig"] = {**image, **properties.get("ImageConfig", {})}
            properties.pop("DeploymentPreference", None)
            variables = properties["Environment"]["Variables"]
            variables |= {name: url for name in ENDPOINTS if name in variables}
    # Parameters are text, and the emulator does not convert them to numbers.
    photos = resources["JobWorkerFunction"]["Properties"]["Events"]["Photos"]["Properties"]
    photos["ScalingConfig"] = {"MaximumConcurrency": WORKERS}
    (policy,) = resources["PreTrafficRole"]["Properties"]["Policies"]
    policy["PolicyDocument"]["Statement"] = [
        each for each in policy["PolicyDocument"]["Statement"] if each["Sid"] != "Result"
    ]
    allow_batches(template)
    return template
