"""Fixtures: the stack built by sam, in containers, with DynamoDB Local and an S3 server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest
import requests
from events import make
from tests.e2e import deployment, machine
from tests.e2e.customers import FREQUENT, FUNDS, RARE, Customer, add_account, new_customer, wake
from tests.e2e.debian import install_missing
from tests.e2e.programs import ended_by_signals
from tests.integration.accounts.dynamodb_local import (
    DynamoDBLocal,
    dynamodb_local,
    lengthen_timeouts,
)
from tests.ports import free_port

from blur.accounts import keys
from blur.accounts.connect import open_account_store
from blur.accounts.model import (
    Instant,
)
from blur.accounts.rate import MINUTE_US
from blur.clock import now
from blur.errors import RateLimitError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.deployment import Deployment

    from blur.accounts.ports import AccountStore

TABLE = "accounts"
BUCKET = "media"


@pytest.fixture(scope="session", autouse=True)
def _ended_by_signals() -> Iterator[None]:
    """Stop all programs that the tests started, even if the test run is terminated."""
    with ended_by_signals():
        yield


@pytest.fixture(scope="session")
def debian_packages() -> None:
    """Install all programs from Debian that these tests need."""
    install_missing()


@pytest.fixture(scope="session")
def base_image(debian_packages: None) -> Iterator[None]:
    """Start Docker if the machine can run it, and build the base image."""
    del debian_packages
    with machine.docker_daemon(), machine.containers_removed():
        machine.make_base_image()
        others = machine.containers()
        yield
        assert machine.containers() <= others, "the tests did not remove all their containers"


@pytest.fixture(scope="session")
def server_image(base_image: None) -> Iterator[Callable[[], None]]:
    """Build the server's image in the background; yield a function that waits for the image."""
    del base_image
    with machine.server_image_started() as wait:
        yield wait


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest, base_image: None) -> None:
    """Build the stack on the base image."""
    del base_image
    if _is_requested("server_image", request):
        # The server's image and the stack are built at the same time, each on one processor.
        request.getfixturevalue("server_image")
    machine.build()


@pytest.fixture(scope="session")
def deploying(
    built: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Deployment]]:
    """Deploy the stack in the background; yield a function that waits for the deployment."""
    del built
    with deployment.deploying(tmp_path_factory.mktemp("deployment")) as wait:
        yield wait


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, built: None) -> None:
    """Build the stack; if a test needs the deployment, also start to deploy in the background."""
    del built
    if _is_requested("deploying", request):
        request.getfixturevalue("deploying")


def _is_requested(fixture: str, request: pytest.FixtureRequest) -> bool:
    """Return whether a selected test uses a fixture."""
    return any(fixture in getattr(each, "fixturenames", ()) for each in request.session.items)


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[DynamoDBLocal]:
    with dynamodb_local() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environ.items():
            patch.setenv(name, value)
        lengthen_timeouts(patch)
        server.create_table(TABLE)
        yield server


@pytest.fixture(scope="session")
def store(dynamodb: DynamoDBLocal) -> Iterator[AccountStore]:
    assert dynamodb.endpoint_url
    store = open_account_store(f"dynamodb:{TABLE}")
    wake(store)
    for text, granted, limit in (
        (make.FUNDED, FUNDS, FREQUENT),
        (make.EMPTY, 0, FREQUENT),
        (make.TEST, FUNDS, FREQUENT),
        (make.LIMITED, FUNDS, RARE),
    ):
        add_account(store, text, granted, limit)
    yield store
    store.close()


@pytest.fixture(scope="session")
def s3(stack: None) -> Iterator[str]:
    """Run an S3 server at an address that this machine and containers share."""
    del stack
    host = machine.bridge_address()
    port = free_port(host)
    command = [machine.MOTO, "--host", host, "--port", str(port)]
    with machine.started("moto", command, until=partial(machine.listens, host, port)):
        url = f"http://{host}:{port}"
        requests.put(f"{url}/{BUCKET}", timeout=30).raise_for_status()
        yield url


@pytest.fixture(scope="session")
def variables(stack: None, dynamodb: DynamoDBLocal, s3: str) -> dict[str, str]:
    """Return the container's environment variables that replace the template's AWS addresses."""
    del stack
    port = dynamodb.endpoint_url.rpartition(":")[2]
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://{machine.bridge_address()}:{port}",
        "AWS_ENDPOINT_URL_S3": s3,
        "BLUR_ACCOUNTS": f"dynamodb:{TABLE}",
        "BLUR_MEDIA": f"s3:{BUCKET}",
    }


@pytest.fixture(scope="session")
def url(
    variables: dict[str, str], store: AccountStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run the API with `sam local start-api`; yield its URL."""
    assert store
    with sam_local("start-api", variables, tmp_path_factory.mktemp("api")) as started:
        yield started


@pytest.fixture(scope="session")
def function_url(
    variables: dict[str, str], store: AccountStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run Lambda's API with `sam local start-lambda`; yield the URL of the function."""
    assert store
    with sam_local("start-lambda", variables, tmp_path_factory.mktemp("function")) as started:
        yield f"{started}/2015-03-31/functions/BlurFunction/invocations"


@contextlib.contextmanager
def sam_local(name: str, variables: dict[str, str], folder: Path) -> Iterator[str]:
    """Run a subcommand of `sam local`, which keeps a container for each called function.

    Yield the URL at which the subcommand listens.
    """
    port = free_port()
    command = [machine.SAM, "local", name, "--template", str(machine.BUILT)]
    command += ["--port", str(port), "--warm-containers", "LAZY", "--skip-pull-image"]
    command += ["--env-vars", machine.written(folder / "env.json", {"Parameters": variables})]
    with machine.started(name, command, until=partial(machine.listens, "127.0.0.1", port)):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def _limited_key_is_used_up(request: pytest.FixtureRequest) -> None:
    """Use the limited key once, so that its requests get 429 for at least the next minute.

    An earlier test might have used up the one request that the key allows in a minute. So this
    fixture uses the key at a time that is one minute in the future.
    """
    if "store" in request.fixturenames:
        store: AccountStore = request.getfixturevalue("store")
        limited = keys.parse(make.LIMITED)
        with contextlib.suppress(RateLimitError):
            store.authorize(limited.account_id, limited.digest, now_us=Instant(now() + MINUTE_US))


@pytest.fixture(scope="session")
def issued() -> list[str]:
    """Return the keys that this run has used so far."""
    return [make.FUNDED, make.EMPTY, make.LIMITED, make.TEST, make.UNKNOWN]


@pytest.fixture
def customer(store: AccountStore, issued: list[str]) -> Customer:
    """Create an account with three credits."""
    return new_customer(store, issued)


@pytest.fixture
def other_customer(store: AccountStore, issued: list[str]) -> Customer:
    """Create another account with three credits."""
    return new_customer(store, issued)
