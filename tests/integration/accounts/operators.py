"""Commands of `bgblur` in the process of the tests, because a start of Python takes CPU time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner, Result

from bgblur.cli import main


def operate(env: Mapping[str, str], *arguments: str) -> Any:  # noqa: ANN401 - any JSON value
    """Run a command of the operator, and return the JSON that it prints."""
    done = run_here(env, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def run_here(env: Mapping[str, str], *arguments: str) -> Result:
    """Run a command with exactly these environment variables."""
    with patch.dict(os.environ, env, clear=True):
        return CliRunner().invoke(main, arguments, catch_exceptions=False)
