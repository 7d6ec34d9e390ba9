"""What the trials share: accounts to spend from, and the servers that are broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.faults.books import Books, open_books
from tests.faults.disks import tmpfs
from tests.integration.running import environment

from blur.accounts.connect import open_account_store

HOLD_TTL_S = 12


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder of the accounts and uploads alone; a disk of its own where one is mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with tmpfs(folder) if "mounted" in request.node.name else nullcontext():
        yield folder


@pytest.fixture
def env(disk: Path, model_dir: Path) -> dict[str, str]:
    """The environment of a server with accounts and uploads there."""
    settings = {
        "BLUR_HOLD_TTL_S": str(HOLD_TTL_S),
        "BLUR_DEADLINE_MARGIN_S": "1",
        "BLUR_MEDIA": f"folder:{disk / 'media'}",
    }
    return environment(disk, model_dir, **settings)


@pytest.fixture
def books(env: dict[str, str]) -> Iterator[Books]:
    """An account of that server's, read past it."""
    store = open_account_store(env["BLUR_ACCOUNTS"])
    yield open_books(store)
    store.close()
