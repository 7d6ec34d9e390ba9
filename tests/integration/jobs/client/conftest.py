"""Fixtures: a server with scripted responses, and a client and commands that use the server."""

from __future__ import annotations

from contextlib import chdir
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.operators import run_here
from tests.integration.jobs.scripted_api import KEY, ROUTE, Reply, ScriptedApi, scripted_api

from blur_client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
PNG_REPLY = Reply(200, PNG, {"Content-Type": "image/png"})
RESULT = f"{ROUTE}/results/{'0' * 32}"
ACCEPTED = Reply(204)


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as api:
        yield api


@pytest.fixture
def elsewhere() -> Iterator[ScriptedApi]:
    """A server that is not the API, such as the server of a bucket."""
    with scripted_api() as server:
        yield server


@pytest.fixture
def client(api: ScriptedApi) -> Iterator[Client]:
    with Client(api.url, KEY, sleep=lambda _: None) as client:
        yield client


def run(api: ScriptedApi, folder: Path, *arguments: str) -> Result:
    """Run `bgblur jobs` in a folder, and check that the output does not contain the key."""
    env = {"BGBLUR_API": api.url, "BGBLUR_API_KEY": KEY, "PATH": ""}
    with chdir(folder):
        ended = run_here(env, "jobs", *arguments)
    assert KEY not in ended.output
    return ended
