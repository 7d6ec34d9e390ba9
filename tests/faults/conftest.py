"""Fixtures for the tests that cause faults: accounts, settings and disks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.faults.balances import Balances, open_balances
from tests.faults.disks import tmpfs
from tests.integration.running import environment

from blur.accounts.connect import open_account_store
from blur.credits import QUARTER, format_credits

HOLD_TTL_S = 12
PRICE = QUARTER
"""The price of a call on the servers of these tests. In tests without a server, a call costs one
credit."""


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a folder for accounts and uploads; mount a disk if the test's name has `mounted`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with tmpfs(folder) if "mounted" in request.node.name else nullcontext():
        yield folder


@pytest.fixture
def env(disk: Path, model_dir: Path) -> dict[str, str]:
    """Return the environment for a server with its accounts and uploads in the folder `disk`."""
    settings = {
        "BLUR_HOLD_TTL_S": str(HOLD_TTL_S),
        "BLUR_DEADLINE_MARGIN_S": "1",
        "BLUR_PRICE": format_credits(PRICE),
        "BLUR_MEDIA": f"folder:{disk / 'media'}",
    }
    return environment(disk, model_dir, **settings)


@pytest.fixture
def balances(env: dict[str, str]) -> Iterator[Balances]:
    """Return an account in the store of `env`; the test reads the account without a server."""
    store = open_account_store(env["BLUR_ACCOUNTS"])
    yield open_balances(store, price=PRICE)
    store.close()
