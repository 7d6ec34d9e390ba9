"""The programs that the stack needs; each context manager stops the programs that it starts."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.e2e import programs

ROOT = Path(__file__).parents[2]
BASE_IMAGE = "background-blur-base"
IMAGE = "blurfunction:latest"
PROJECT = "background-blur"
ROOT_FS_IMAGE = "background-blur-rootfs"
SAM = str(ROOT / ".venv-sam" / "bin" / "sam")
MOTO = str(ROOT / ".venv-sam" / "bin" / "moto_server")
LOGS = ROOT / "build" / "e2e"
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"

AWS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAM_CLI_TELEMETRY": "0",
}


@contextlib.contextmanager
def docker_daemon() -> Iterator[None]:
    """Use the running daemon, or start one."""
    if _docker_answers():
        yield
        return
    with started("dockerd", ["dockerd"], until=_docker_answers):
        yield


@contextlib.contextmanager
def containers_removed() -> Iterator[None]:
    """Remove the containers that are left when the context ends, such as after a failed build.

    Only containers from the base image are removed, because the tests did not start the others.
    """
    others = containers()
    try:
        yield
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):  # the daemon has stopped
            while ours := containers("--filter", f"ancestor={ROOT_FS_IMAGE}") - others:
                # `docker rm` fails while the daemon itself removes the container, so check again.
                subprocess.run(["docker", "rm", "--force", *ours], check=False, capture_output=True)
                time.sleep(0.2)


@contextlib.contextmanager
def started(name: str, command: list[str], *, until: Callable[[], bool]) -> Iterator[None]:
    """Run a program in the project's root until the context ends; see `programs.started`."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    with programs.started(command, folder=ROOT, log=log, until=until, environ=AWS):
        yield


def make_base_image() -> None:
    """Build the replacement for AWS's base image, unless this machine has the image already."""
    inspected = subprocess.run(["docker", "image", "inspect", BASE_IMAGE], capture_output=True)  # noqa: PLW1510 - the exit code is the result
    if inspected.returncode:
        _logged("base_image", [str(ROOT / "tools" / "base_image.sh")])


def build() -> None:
    """Run `sam build` with the replacement base image."""
    overrides = ["--parameter-overrides", f"BaseImage={BASE_IMAGE}"]
    _logged("sam-build", [SAM, "build", *overrides])


@contextlib.contextmanager
def server_image_started() -> Iterator[Callable[[], None]]:
    """Build the image of compose.yaml in the background; yield a function that waits for the image.

    Compose then finds all layers of the image in the cache.
    """
    command = ["docker", "build", "--quiet", "--build-arg", f"BASE_IMAGE={BASE_IMAGE}"]
    command += ["--file", "tools/bgblur/Dockerfile", "."]
    log = LOGS / "server-image.log"
    LOGS.mkdir(parents=True, exist_ok=True)
    with programs.background(
        command, folder=ROOT, log=log, environ={"DOCKER_BUILDKIT": "0"}
    ) as end:

        def wait() -> None:
            code, printed = end()
            assert not code, f"the server's image was not built:\n{printed}{log.read_text()}"

        yield wait


def invoke(
    event: Mapping[str, Any],
    variables: Mapping[str, str],
    folder: Path,
    **parameters: int,
) -> dict[str, Any] | None:
    """Run the function on one event in a separate container.

    Return the function's response, or None if the container sends no response.
    """
    arguments = ["--event", written(folder / "event.json", event)]
    arguments += ["--env-vars", written(folder / "env.json", {"Parameters": dict(variables)})]
    if parameters:
        settings = [f"{name}={value}" for name, value in parameters.items()]
        arguments += ["--parameter-overrides", *settings]
    command = [SAM, "local", "invoke", "BlurFunction", "--template", str(BUILT), *arguments]
    _, printed = programs.ran(command, folder=ROOT, log=folder / "invoke.log", environ=AWS)
    answers = (json.loads(line) for line in printed.splitlines() if line.startswith('{"status'))
    return next(answers, None)


def written(path: Path, content: Mapping[str, Any]) -> str:
    """Write JSON to a file, and return the path of the file."""
    path.write_text(json.dumps(content))
    return str(path)


def bridge_address() -> str:
    """Return the address at which containers reach this machine."""
    form = "{{(index .IPAM.Config 0).Subnet}}"
    command = ["docker", "network", "inspect", "bridge", "--format", form]
    subnet = ipaddress.ip_network(subprocess.check_output(command, text=True).strip())
    return str(subnet[1])


def containers(*options: str) -> set[str]:
    """Return the ids of the running and stopped containers that these options select."""
    ids = subprocess.check_output(["docker", "ps", "--all", "--quiet", *options], text=True)
    return set(ids.split())


def emulator() -> Path:
    """Return the path of sam's Runtime Interface Emulator, which runs an image as Lambda does."""
    return next((ROOT / ".venv-sam").glob("lib/*/site-packages/samcli/local/rapid/*-x86_64"))


def entry(image: str) -> list[str]:
    """Return the command that a container image runs."""
    return entry_point(image) + command(image)


def entry_point(image: str) -> list[str]:
    """Return the program that a container image runs, without the name of the handler."""
    return _config(image, "Entrypoint")


def command(image: str) -> list[str]:
    """Return the arguments of the program that a container image runs: the handler's name."""
    return _config(image, "Cmd")


def listens(host: str, port: int) -> bool:
    """Return whether a program accepts connections at this address."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _config(image: str, name: str) -> list[str]:
    command = ["docker", "image", "inspect", "--format", f"{{{{json .Config.{name}}}}}", image]
    words: list[str] = json.loads(subprocess.check_output(command, text=True))
    return words


def _docker_answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def _logged(name: str, command: list[str]) -> None:
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{name}.log"
    code, printed = programs.ran(command, folder=ROOT, log=path, environ=AWS)
    if code:
        message = f"{name} failed:\n{printed[-2000:]}\n{path.read_text()[-4000:]}"
        raise RuntimeError(message)
