"""The function's image in a container with Lambda's Runtime Interface Emulator."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from http.client import HTTPException

from tests.e2e import machine
from tests.ports import free_port


@contextlib.contextmanager
def emulated(name: str, variables: Mapping[str, str], *options: str) -> Iterator[str]:
    """Run the function's image with Lambda's emulator, which ends calls at their timeout.

    `name` is the container's name, and `options` are further options of `docker run`. Yield the URL
    for events, after the function has answered a first event.
    """
    host, port = "127.0.0.1", free_port()
    url = f"http://{host}:{port}/2015-03-31/functions/function/invocations"
    command = ["docker", "run", "--rm", "--name", name, "--publish", f"{host}:{port}:8080"]
    command += ["--volume", f"{machine.emulator()}:/emulator:ro", *options]
    command += ["--entrypoint", "/emulator"]
    for variable, value in {**machine.AWS, **variables}.items():
        command += ["--env", f"{variable}={value}"]
    command += [machine.IMAGE, *machine.entry(machine.IMAGE)]
    with machine.started(name, command, until=partial(_answers, url)):
        yield url


def hang(name: str) -> None:
    """Suspend the function's processes in a container, but not Lambda's emulator."""
    form = ["--format", "{{.State.Pid}}"]
    first = int(subprocess.check_output(["docker", "inspect", *form, name], text=True))
    listed = subprocess.check_output(["docker", "top", name, "-o", "pid"], text=True)
    for pid in set(map(int, listed.split()[1:])) - {first}:
        os.kill(pid, signal.SIGSTOP)


def _answers(url: str) -> bool:
    """Return whether the function has started and responds."""
    event = json.dumps({"httpMethod": "GET", "path": "/health", "headers": {}}).encode()
    try:
        with urllib.request.urlopen(url, event, timeout=60) as answer:  # noqa: S310 - the URL begins with http
            return b'"statusCode": 200' in answer.read()
    except (OSError, HTTPException):
        return False
