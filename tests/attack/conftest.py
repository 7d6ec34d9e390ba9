"""Fixtures of the attack trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.attack.target import Target

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Target:
    """Return one handler for all attacks of a file, like a server."""
    return Target(tmp_path_factory.mktemp("target"), model_dir)
