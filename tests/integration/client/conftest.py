"""Servers with different settings, and photos to send to them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from events import make
from tests.integration.client.shell import PHOTO, RADIUS, Done, Run
from tests.integration.forked import fork_bgblur
from tests.integration.running import BGBLUR
from tests.integration.storage.conftest import Api, by_link, serve

from blur_client import Client

__all__ = ["by_link"]


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Api]:
    """Start a server that accepts large photos only as uploads."""
    folder = tmp_path_factory.mktemp("small")
    small = {"BLUR_MAX_BODY_BYTES": "40000", "BLUR_MEDIA": f"folder:{folder / 'media'}"}
    yield from serve(folder, model_dir, **small)


@pytest.fixture(scope="session")
def without_uploads(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Api]:
    """Start a server without uploads."""
    yield from serve(tmp_path_factory.mktemp("plain"), model_dir, BLUR_MEDIA="")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(PHOTO)
    return path


@pytest.fixture
def large_photo(tmp_path: Path) -> Path:
    """Return a photo that is too large for a request to `api`."""
    path = tmp_path / "large.jpg"
    path.write_bytes(make.PHOTO.read_bytes())
    assert path.stat().st_size > 40_000
    return path


@pytest.fixture
def balance(api: Api) -> Iterator[Callable[[], float]]:
    """Return a function that gets the account's balance from `api`."""
    with Client(api.server.url, api.key) as client:
        yield lambda: client.account().balance


@pytest.fixture
def environ(model_dir: Path) -> dict[str, str]:
    """Return an environment with a model and without settings for an API."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BGBLUR_")}
    return {**kept, "BLUR_MODEL_DIR": str(model_dir)}


@pytest.fixture
def run(tmp_path: Path, environ: dict[str, str]) -> Run:
    """Return a function that runs `bgblur blur` with some arguments."""

    def blur(*arguments: str, stdin: bytes = b"", **settings: str) -> Done:
        words = ["blur", *RADIUS, *arguments]
        return fork_bgblur(words, cwd=tmp_path, env={**environ, **settings}, stdin=stdin)

    return blur


@pytest.fixture
def run_program(tmp_path: Path, environ: dict[str, str]) -> Run:
    """Return a function that runs `bgblur blur` in a new Python process."""

    def blur(*arguments: str, stdin: bytes = b"", **settings: str) -> Done:
        return subprocess.run(
            [*BGBLUR, "blur", *RADIUS, *arguments],
            cwd=tmp_path,
            env={**environ, **settings},
            input=stdin,
            capture_output=True,
            check=False,
            timeout=100,
        )

    return blur


@pytest.fixture
def api_settings(api: Api) -> dict[str, str]:
    """Return the settings with which `bgblur blur` uses the API."""
    return {"BGBLUR_API": api.server.url, "BGBLUR_API_KEY": api.key}
