"""Fixtures of the attack trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.attack.target import Target

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Target:
    """Return the handler, one for all attacks of a file, as a server has it for its life."""
    return Target(tmp_path_factory.mktemp("target"), model_dir)
