"""The operator's commands in a shell, with a real database."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.forked import run_bgblur
from tests.integration.running import BGBLUR

if TYPE_CHECKING:
    from pathlib import Path

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a database in the test's folder."""
    return {**os.environ, "BLUR_ACCOUNTS": f"sqlite:{tmp_path / 'accounts.db'}"}


@pytest.fixture
def bgblur(tmp_path: Path, env: dict[str, str]) -> Command:
    """Return a function that runs `bgblur` with some arguments in a fork."""

    def run(*arguments: str, answer: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        return run_bgblur(arguments, cwd=tmp_path, env={**env, **settings}, answer=answer)

    return run


@pytest.fixture
def started(tmp_path: Path, env: dict[str, str]) -> Command:
    """Return a function that starts `bgblur` with some arguments in a new process."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*BGBLUR, *arguments],
            cwd=tmp_path,
            env={**env, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def read(done: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - any JSON value
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
