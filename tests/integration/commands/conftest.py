"""The operator's commands in a shell, with a real database."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.running import BGBLUR

if TYPE_CHECKING:
    from pathlib import Path

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bgblur(tmp_path: Path) -> Command:
    """Return a function that runs `bgblur` with some arguments."""
    env = {**os.environ, "BLUR_ACCOUNTS": f"sqlite:{tmp_path / 'accounts.db'}"}

    def run(*arguments: str, answer: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*BGBLUR, *arguments],
            cwd=tmp_path,
            env={**env, **settings},
            input=answer,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def read(done: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - any JSON value
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
