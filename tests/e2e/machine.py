"""What the stack needs of this machine; what a context starts, the same context ends.

On Debian, what is missing is installed by apt: that is the one thing that stays.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
BASE_IMAGE = "background-blur-base"
SAM = str(ROOT / ".venv-sam" / "bin" / "sam")
MOTO = str(ROOT / ".venv-sam" / "bin" / "moto_server")
LOGS = ROOT / "build" / "e2e"
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"
PACKAGES = {"dockerd": "docker.io", "docker": "docker.io", "debootstrap": "debootstrap"}
START_S = 120
STOP_S = 60

AWS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAM_CLI_TELEMETRY": "0",
}


def install_missing() -> None:
    """Install Debian's packages for the commands that are not there; needs root."""
    missing = sorted({name for command, name in PACKAGES.items() if not shutil.which(command)})
    if missing:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "--quiet=2"], check=True, env=quiet)
        install = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends"]
        subprocess.run([*install, *missing], check=True, env=quiet)


@contextlib.contextmanager
def docker_daemon() -> Iterator[None]:
    """Use the daemon that runs, or run one."""
    if _docker_answers():
        yield
        return
    with started("dockerd", ["dockerd"], until=_docker_answers):
        yield


def make_base_image() -> None:
    """Make the stand-in for AWS's base image, unless this machine has it already."""
    there = subprocess.run(["docker", "image", "inspect", BASE_IMAGE], capture_output=True)  # noqa: PLW1510 - its code is the answer
    if there.returncode:
        _logged("base_image", [str(ROOT / "tools" / "base_image.sh")])


def build() -> None:
    """Run `sam build` on the stand-in base."""
    overrides = ["--parameter-overrides", f"BaseImage={BASE_IMAGE}"]
    _logged("sam-build", [SAM, "build", *overrides])


@contextlib.contextmanager
def started(
    name: str,
    command: list[str],
    *,
    until: Callable[[], bool],
    environ: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a program until the context ends; it is ready when `until` says so.

    It gets a session of its own, so that Ctrl-C reaches the test run alone, which then ends
    its programs one after the other.

    Raises:
        RuntimeError: it is not ready in time; the message has its log's end.

    """
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("w+") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **AWS, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(name, process, until, log)
            yield
        finally:
            process.terminate()  # sam ignores SIGINT in the background; this ends its containers
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def invoke(
    event: Mapping[str, Any],
    variables: Mapping[str, str],
    folder: Path,
    **parameters: int,
) -> dict[str, Any] | None:
    """Answer one event in a container of its own; None where the container gave no answer."""
    arguments = ["--event", written(folder / "event.json", event)]
    arguments += ["--env-vars", written(folder / "env.json", {"Parameters": dict(variables)})]
    if parameters:
        told = [f"{name}={value}" for name, value in parameters.items()]
        arguments += ["--parameter-overrides", *told]
    ran = subprocess.run(
        [SAM, "local", "invoke", "BlurFunction", "--template", str(BUILT), *arguments],
        cwd=ROOT,
        env={**os.environ, **AWS},
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / "invoke.log").write_text(ran.stderr)
    answers = (json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"status'))
    return next(answers, None)


def written(path: Path, content: Mapping[str, Any]) -> str:
    """Write JSON to a file and return its name."""
    path.write_text(json.dumps(content))
    return str(path)


def bridge_address() -> str:
    """Return the address at which containers reach this machine."""
    form = "{{(index .IPAM.Config 0).Subnet}}"
    command = ["docker", "network", "inspect", "bridge", "--format", form]
    subnet = ipaddress.ip_network(subprocess.check_output(command, text=True).strip())
    return str(subnet[1])


def containers() -> set[str]:
    """Return the ids of all containers, running or not."""
    ids = subprocess.check_output(["docker", "ps", "--all", "--quiet"], text=True)
    return set(ids.split())


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


def listens(host: str, port: int) -> bool:
    """Tell whether a connection can be made."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _docker_answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def _wait(
    name: str, process: subprocess.Popen[bytes], until: Callable[[], bool], log: IO[str]
) -> None:
    latest = time.monotonic() + START_S
    while not until():
        if process.poll() is not None or time.monotonic() > latest:
            log.seek(0)
            message = f"{name} did not start:\n{log.read()[-4000:]}"
            raise RuntimeError(message)
        time.sleep(0.2)


def _logged(name: str, command: list[str]) -> None:
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{name}.log"
    with path.open("w") as log:
        env = {**os.environ, **AWS}
        ran = subprocess.run(command, cwd=ROOT, env=env, stdout=log, stderr=log, check=False)
    if ran.returncode:
        message = f"{name} failed:\n{path.read_text()[-4000:]}"
        raise RuntimeError(message)
