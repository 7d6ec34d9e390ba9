"""The server that clients at the addresses 127.0.0.x share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.attack.shares.shared_server import Served, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shared")
    with serve(folder, model_dir) as started:
        yield started
