"""Deploys the built stack with sam in ministack, which runs the functions in containers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.aws.ministack import ACCOUNT, REGION, SECRET, ministack
from tests.e2e import machine, programs
from tests.e2e.local_template import IMAGE, RUNTIME, local_template
from tests.e2e.nginx import nginx
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.aws.ministack import Ministack

STACK = "background-blur-e2e"
TEMPLATE = machine.BUILT.with_name("local.json")
PARAMETERS = {"Stage": "e2e"}


@dataclass(frozen=True, slots=True)
class Deployment:
    """The deployed stack."""

    emulator: Ministack
    folder: Path
    outputs: dict[str, str]
    ids: dict[str, str]
    """The names of the resources in the emulator, by the names in the template."""
    url: str
    """The API's address."""
    close: Callable[[], None]
    """Stops the emulator and its containers."""
    calls: Counter[str] = field(default_factory=Counter)
    """How often `invoke` called each function."""

    def client(self, service: str) -> Any:  # noqa: ANN401 - botocore makes its classes at run time
        """Return a client with an administrator's permissions."""
        return self.emulator.client(service)

    def operate(self, *commands: str, **variables: str) -> str:
        """Run documented commands in the project's root; return their output."""
        environ = {**os.environ, **administrator(self.emulator), "HOME": str(self.folder)}
        done = subprocess.run(
            ["sh", "-ec", "\n".join(commands)],
            cwd=machine.ROOT,
            env={**environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, f"{commands}: {done.stdout}{done.stderr}"
        return done.stdout

    def issue_key(self, credits_: int) -> str:
        """Issue a key on the deployed table with the commands in the stack's outputs."""
        export, issue = self.outputs["FirstKey1"], self.outputs["FirstKey2"]
        printed = self.operate(export, re.sub(r"--credits \d+", f"--credits {credits_}", issue))
        words: list[str] = re.findall(r"bb_live_\w+", printed)
        return max(words, key=len)  # the printed prefix is shorter than the key

    def invoke(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Call a function; return its response."""
        self.calls[name] += 1
        response = self.client("lambda").invoke(FunctionName=self.ids[name], Payload=b"{}")
        payload = response["Payload"].read()
        assert "FunctionError" not in response, payload
        return json.loads(payload)

    def log(self) -> str:
        """Return the end of the emulator's log, which has the functions' output."""
        return self.emulator.log.read_text()[-8000:]


@contextlib.contextmanager
def deploying(folder: Path) -> Iterator[Callable[[], Deployment]]:
    """Start to deploy the built stack; yield a function that waits for the deployment."""
    host = machine.bridge_address()
    flags = f"--volume {machine.emulator()}:{RUNTIME}:ro --read-only --tmpfs /tmp"
    variables = {
        "DOCKER_HOST": os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
        "LAMBDA_DOCKER_FLAGS": f"{flags} --security-opt no-new-privileges",
        "MINISTACK_HOST": host,
    }
    machine.LOGS.mkdir(parents=True, exist_ok=True)
    subprocess.run(["docker", "tag", machine.IMAGE, IMAGE], check=True)
    with contextlib.ExitStack() as opened:
        log = machine.LOGS / "ministack.log"
        emulator = opened.enter_context(ministack(folder, host=host, log=log, **variables))
        TEMPLATE.write_text(json.dumps(local_template(machine.BUILT, emulator.url)))
        end = opened.enter_context(sam_started(emulator, *deploy_command()))

        def wait() -> Deployment:
            end()
            outputs, ids = described(emulator)
            complete_api(emulator, ids)
            origin = opened.enter_context(gateway(emulator, ids["Api"], folder))
            url = f"{origin}/{PARAMETERS['Stage']}"
            return Deployment(emulator, folder, outputs, ids, url, opened.close)

        yield wait


def update(deployment: Deployment, **parameters: str) -> tuple[dict[str, str], dict[str, str]]:
    """Deploy the stack again with these parameters; return its outputs and resource names."""
    emulator = deployment.emulator
    with sam_started(emulator, *deploy_command(**parameters)) as end:
        end()
    outputs, ids = described(emulator)
    complete_api(emulator, ids)
    return outputs, ids


def delete(deployment: Deployment) -> None:
    """Delete the stack."""
    with sam_started(deployment.emulator, "delete", "--stack-name", STACK, "--no-prompts") as end:
        end()


def deploy_command(**parameters: str) -> list[str]:
    """Return the arguments of sam that deploy or update the stack."""
    command = ["deploy", "--template-file", str(TEMPLATE), "--stack-name", STACK]
    command += ["--capabilities", "CAPABILITY_IAM", "--resolve-s3", "--image-repository", IMAGE]
    values = [f"{name}={value}" for name, value in {**PARAMETERS, **parameters}.items()]
    return [*command, "--parameter-overrides", *values]


def described(emulator: Ministack) -> tuple[dict[str, str], dict[str, str]]:
    """Return the stack's outputs, and the names of its resources."""
    client = emulator.client("cloudformation")
    (stack,) = client.describe_stacks(StackName=STACK)["Stacks"]
    resources = client.describe_stack_resources(StackName=STACK)["StackResources"]
    return (
        {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]},
        {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources},
    )


@contextlib.contextmanager
def sam_started(emulator: Ministack, *arguments: str) -> Iterator[Callable[[], None]]:
    """Start a `sam` command that uses the emulator; yield a function that waits for the command."""
    log = machine.LOGS / f"sam-{arguments[0]}.log"
    environ = {**machine.AWS, **administrator(emulator)}
    command = [machine.SAM, *arguments, "--region", REGION]
    with programs.background(command, folder=machine.ROOT, log=log, environ=environ) as end:

        def wait() -> None:
            code, printed = end()
            logged = log.read_text()[-4000:]
            assert not code, f"sam {arguments[0]} failed:\n{printed[-4000:]}\n{logged}"

        yield wait


def administrator(emulator: Ministack) -> dict[str, str]:
    """Return environment variables that make AWS clients use the emulator."""
    return {
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_ENDPOINT_URL_DYNAMODB": emulator.url,  # other tests set this variable for their tables
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }


def complete_api(emulator: Ministack, ids: dict[str, str]) -> None:
    """Add the method ANY, which the emulator does not read from the template's OpenAPI document."""
    client, api = emulator.client("apigateway"), ids["Api"]
    function = client.meta.region_name, ids["BlurFunctionAliaslive"]
    uri = "arn:aws:apigateway:{}:lambda:path/2015-03-31/functions/{}/invocations".format(*function)
    for resource in client.get_resources(restApiId=api)["items"]:
        target = {"restApiId": api, "resourceId": resource["id"], "httpMethod": "ANY"}
        client.put_method(**target, authorizationType="NONE")
        client.put_integration(**target, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    client.create_deployment(restApiId=api, stageName=PARAMETERS["Stage"])


@contextlib.contextmanager
def gateway(emulator: Ministack, api: str, folder: Path) -> Iterator[str]:
    """Run a proxy that adds the API's host name, which has no DNS entry; yield the proxy's URL."""
    port, name = free_port(), f"{api}.execute-api.{emulator.host}"
    server = (
        f"server {{ listen 127.0.0.1:{port}; client_max_body_size 10m; location / {{\n"
        f"proxy_pass {emulator.url}; proxy_set_header Host {name};\n"
        f"proxy_redirect off; proxy_read_timeout 60s; }} }}"
    )
    with nginx(server, port, folder):
        yield f"http://127.0.0.1:{port}"
