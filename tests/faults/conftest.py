"""Fixtures for the tests that cause faults: accounts, settings and disks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.faults.balances import Balances, open_balances
from tests.faults.disks import tmpfs
from tests.integration.running import environment
from tests.trials import FULL

from blur.accounts.connect import open_account_store
from blur.credits import QUARTER, format_credits

HOLD_TTL_S = 12
PRICE = QUARTER
"""The price of a call on the servers of these tests. In tests without a server, a call costs one
credit."""


@pytest.fixture
def quick_networks(request: pytest.FixtureRequest) -> None:
    """Open each network once in this process, and run it once for each input, except at full size.

    Trials that send the same photo many times use this fixture.
    """
    if not FULL:
        request.getfixturevalue("shared_networks")


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a folder for accounts and uploads; mount a disk if the test's name has `mounted`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with tmpfs(folder) if "mounted" in request.node.name else nullcontext():
        yield folder


@pytest.fixture(scope="session")
def counting_models(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the neural network for trials that only count photos and credits.

    At full size, this network is the real one. At small size, the network always returns the same
    disc, because inferences would take most of the CPU time of these trials.
    """
    if FULL:
        return model_dir
    from tests.integration.jobs.disc_model import write_disc_model  # noqa: PLC0415 - loads onnx, which few tests need

    return write_disc_model(tmp_path_factory.mktemp("disc"))


@pytest.fixture
def env(disk: Path, counting_models: Path) -> dict[str, str]:
    """Return the environment for a server with its accounts and uploads in the folder `disk`.

    The trials with this server only count photos and credits; see `counting_models`.
    """
    settings = {
        "BLUR_HOLD_TTL_S": str(HOLD_TTL_S),
        "BLUR_DEADLINE_MARGIN_S": "1",
        "BLUR_PRICE": format_credits(PRICE),
        "BLUR_MEDIA": f"folder:{disk / 'media'}",
    }
    return environment(disk, counting_models, **settings)


@pytest.fixture
def real_env(env: dict[str, str], model_dir: Path) -> dict[str, str]:
    """Return the environment for a server with the real neural network at every size."""
    return env | {"BLUR_MODEL_DIR": str(model_dir)}


@pytest.fixture
def balances(env: dict[str, str]) -> Iterator[Balances]:
    """Return an account in the store of `env`; the test reads the account without a server."""
    store = open_account_store(env["BLUR_ACCOUNTS"])
    yield open_balances(store, price=PRICE)
    store.close()
