"""ministack, an emulator of S3, SQS, Lambda and CloudFormation, on a port of this machine.

Without Docker, ministack runs Lambda functions as processes of this machine. With PYTHONPATH, these
functions import the code of this checkout, and the packages that are installed for the tests.
`tests/e2e` runs container images instead.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sysconfig
import time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import get_session
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".venv-ministack" / "bin" / "ministack"
ACCOUNT = "123456789012"
SECRET = "local"  # noqa: S105 - this text is not a secret
LOOPBACK = "127.0.0.1"
REGION = "eu-central-1"
START_S = 60
PYTHONPATH = os.pathsep.join([str(ROOT / "functions"), sysconfig.get_path("purelib")])
"""The folders with the code and the packages of the functions."""

# A background shell waits until its input closes, which also happens if the test run is killed.
# Then it stops the emulator, and so also the emulator's functions.
WATCHED = 'exec 3<&0; { cat <&3 >/dev/null; kill $$; } & exec "$@" 3<&- </dev/null'


@dataclass(frozen=True, slots=True)
class Ministack:
    """A running ministack emulator."""

    port: int
    log: Path
    pid: int
    host: str = LOOPBACK

    @property
    def url(self) -> str:
        """The address of all services of the emulator."""
        return f"http://{self.host}:{self.port}"

    def client(self, service: str) -> Any:  # noqa: ANN401 - botocore creates its clients' classes at run time
        """Return a botocore client for an AWS service."""
        return _client(self.url, service)


@contextlib.contextmanager
def ministack(
    folder: Path, *, host: str = LOOPBACK, log: Path | None = None, **variables: str
) -> Iterator[Ministack]:
    """Run the emulator with its files in this folder, and stop it when the context ends.

    `host` is the emulator's address, and `variables` are more environment variables.
    """
    assert PROGRAM.is_file(), "ministack is missing: `make aws` and `make e2e` install it"
    port, log = free_port(host), log or folder / "ministack.log"
    env = {
        **os.environ,
        "BIND_HOST": host,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AUTH": "true",  # enforce policies and signatures; these credentials have all permissions
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "TMPDIR": str(folder),
        "DOCKER_HOST": "unix:///nonexistent",  # no Docker: functions run as processes
        **variables,
    }
    command = ["sh", "-c", WATCHED, "ministack", str(PROGRAM)]
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=file, stderr=file
        )
        try:
            wait_until(partial(_is_ready, host, port), START_S, log.read_text)
            yield Ministack(port, log, process.pid, host)
        finally:
            process.terminate()
            process.communicate()


@cache
def _client(url: str, service: str) -> Any:  # noqa: ANN401 - botocore creates its clients' classes at run time
    """Return a client of a service. All callers share the client, because creating one is slow."""
    for_s3 = Config(s3={"addressing_style": "path"}, signature_version="s3v4")
    return get_session().create_client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key=SECRET,
        config=for_s3 if service == "s3" else None,
    )


def wait_until(holds: Any, within_s: float, describe: Any) -> None:  # noqa: ANN401 - both arguments are callables
    """Wait until `holds()` is true.

    Raises:
        TimeoutError: the condition is not true in time; the message has `describe()`.

    """
    latest = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > latest:
            raise TimeoutError(describe())
        time.sleep(0.1)


def _is_ready(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
