"""Fixtures for all tests: the model, and the shared servers."""

from __future__ import annotations

import gc
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal
    from tests.integration.storage.s3_server import S3Server

    from blur.accounts.ports import AccountStore

ROOT = Path(__file__).parents[1]
SHARING = (
    *("tests/integration/client/", "tests/integration/storage/"),
    *("tests/aws/", "tests/attack/shares/"),
)
"""Prefixes of paths. Files with one prefix share servers, so one process runs all their tests."""
SEPARATE = (
    "tests/browser/test_page_jobs",
    *("tests/faults/test_jobs_simulation.py", "tests/faults/test_job_commands_killed.py"),
    *("tests/faults/test_jobs_disk.py", "tests/faults/test_jobs_killed.py"),
    *("tests/faults/test_charging.py", "tests/faults/test_killed_workers.py"),
    "tests/attack/shares/test_slow_clients.py",
)
"""Files whose tests are slow and run before all other tests. Each of these tests can run in any
process. If the tests of a file share a server, each process starts its own server."""

# During the collection of tests, garbage collections would take a fifth of the CPU time.
gc.disable()

# A machine with many processes can take longer than Hypothesis allows for one example.
settings.register_profile("without_deadline", deadline=None)
settings.load_profile("without_deadline")
# `make test-unit` selects this profile; `make test` runs the usual 100 examples of each test.
settings.register_profile("quick", deadline=None, max_examples=25)


class ScopeScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Runs all tests of a file in one process, unless `SHARING` or `SEPARATE` lists the file."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(SEPARATE):
            return nodeid
        shared = next(filter(nodeid.startswith, SHARING), None)
        return shared or str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ScopeScheduling:
    """Replace the scheduler of `--dist loadscope`."""
    return ScopeScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the tests of the files in `SEPARATE`, the slowest tests, to the start of the run."""
    items.sort(key=lambda item: not item.nodeid.startswith(SEPARATE))


def pytest_collection_finish() -> None:
    """Exclude modules and collected tests from garbage collections: they exist until the end.

    Without this, garbage collections take a tenth of the unit tests' CPU time.
    """
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """Return the folder with the model's file."""
    folder = ROOT / "build" / "models"
    assert (folder / "u2netp-light.onnx").is_file(), "the model is missing: run `make model`"
    return folder


@pytest.fixture
def refused_url() -> Iterator[str]:
    """Return a URL where connections are refused: its port is taken, but nothing listens on it."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}"


@pytest.fixture
def long_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set longer time limits for DynamoDB in this process, because a busy test machine is slow."""
    from tests.integration.accounts.dynamodb_local import lengthen_timeouts  # noqa: PLC0415 - needs Java, which few tests need

    lengthen_timeouts(monkeypatch)


@pytest.fixture
def shared_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open each neural network once in this process, and run it once for each input."""
    from tests.networks import open_session  # noqa: PLC0415 - loads onnxruntime, which few tests need

    monkeypatch.setattr("onnxruntime.InferenceSession", open_session)


@pytest.fixture(scope="session")
def dynamodb(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Iterator[DynamoDBLocal]:
    """Start DynamoDB Local once for the whole run; set the environment variables of its clients."""
    from tests.integration.accounts.dynamodb_local import shared_dynamodb_local  # noqa: PLC0415 - needs Java, which few tests need

    folder = tmp_path_factory.getbasetemp().parent / f"dynamodb-{testrun_uid}"
    with shared_dynamodb_local(folder) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environ.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="session")
def dynamodb_table(dynamodb: DynamoDBLocal, worker_id: str) -> str:
    """Create one table for all tests of this process, because creating a table is slow.

    Each test uses its own accounts.
    """
    return dynamodb.create_table(f"accounts-{worker_id}")


@pytest.fixture(params=["sqlite", "dynamodb"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a value for `BLUR_ACCOUNTS`; all processes with this value open the same accounts."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'accounts.db'}"
    return f"dynamodb:{request.getfixturevalue('dynamodb_table')}"


@pytest.fixture
def store(location: str) -> Iterator[AccountStore]:
    """Yield a store. Each test runs once with SQLite and once with DynamoDB."""
    from blur.accounts.connect import open_account_store  # noqa: PLC0415 - loads botocore, which few tests need

    opened = open_account_store(location)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """Start one S3 server for all tests of this process."""
    from tests.integration.storage.s3_server import s3_server  # noqa: PLC0415 - importing moto takes seconds

    with s3_server() as server:
        yield server
