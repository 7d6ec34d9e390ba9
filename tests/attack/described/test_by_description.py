"""Schemathesis generates requests from the OpenAPI document and sends them to a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.running import BGBLUR, environment, running

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@pytest.fixture
def served(tmp_path: Path, model_dir: Path) -> Iterator[tuple[str, str]]:
    """Start a server; return its URL and a key with a high rate limit."""
    media = f"folder:{tmp_path / 'media'}"
    env = environment(tmp_path, model_dir, BLUR_MEDIA=media, BLUR_PRICE="0.25")
    limits = ["--credits", "10000", "--rate", "60000", "--burst", "10000"]
    with running(tmp_path, env) as server:
        command = [*BGBLUR, "keys", "issue", "--json", *limits]
        done = subprocess.run(command, env=env, capture_output=True, check=True)
        yield server.url, json.loads(done.stdout)["key"]


def test_responses_of_the_server_match_its_openapi_document(
    served: tuple[str, str], tmp_path: Path
) -> None:
    url, key = served
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{url}/openapi.json", "--header", f"ApiKey: {key}"),
            *("--header", f"X-Api-Key: {key}"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
