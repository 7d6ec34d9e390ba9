"""Fixtures of the attack tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.attack.attacks import Accounts
from tests.attack.target import Target
from tests.integration.running import environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Target:
    """Return a handler that all tests of a module share and attack."""
    return Target(tmp_path_factory.mktemp("target"), model_dir)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> dict[str, str]:
    """Return the environment of the attacked servers."""
    return environment(tmp_path_factory.mktemp("accounts"), model_dir, BLUR_MEDIA="")


@pytest.fixture(scope="module")
def accounts(env: dict[str, str]) -> Accounts:
    """Return the accounts of the attacked servers."""
    return Accounts(env)
