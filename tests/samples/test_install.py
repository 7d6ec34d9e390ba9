"""The two wheels work when they are installed without a checkout, make or build tools."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
import requests
from PIL import Image
from tests.documents import ROOT

SAMPLE = ROOT / "site" / "sample.jpg"
UV = ROOT / ".venv" / "bin" / "uv"
CLIENT = ROOT / "tools" / "blur_client"
HEAVY = {"blur", "bgblur", "numpy", "onnxruntime", "PIL", "click"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both wheels as `make dist` does."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(["make", "--silent", "dist", f"DIST={folder}"], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def bgblur(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install both wheels and their dependencies; return the path of the command `bgblur`."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([UV, "venv", "--quiet", folder], check=True)
    install = [str(UV), "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
    install += ["--find-links", str(wheels), "background-blur-api", "blur-client"]
    subprocess.run(install, check=True)
    return folder / "bin" / "bgblur"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Return an empty working folder, with an empty home folder next to it."""
    (tmp_path / "home").mkdir()
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def environ(folder: Path) -> dict[str, str]:
    """Return an environment without the variables of the tests, and without programs in PATH."""
    return {"PATH": os.devnull, "HOME": str(folder.parent / "home")}


def test_installed_bgblur_blurs_a_photo_in_a_folder_that_contains_only_the_photo(
    bgblur: Path, empty: Path
) -> None:
    shutil.copy(SAMPLE, empty / "photo.jpg")
    command = [str(bgblur), "blur", "photo.jpg", "-r", "12"]
    subprocess.run(command, cwd=empty, env=environ(empty), check=True, capture_output=True)
    assert len(list(empty.iterdir())) == 2
    [result] = empty.glob("photo-blurred.*")
    with Image.open(result) as blurred, Image.open(SAMPLE) as photo:
        assert blurred.size == photo.size


def test_installed_bgblur_serves_the_page_the_reference_and_blurred_photos(
    bgblur: Path, empty: Path
) -> None:
    with served(bgblur, empty) as (url, key):
        assert "<html" in requests.get(url, headers={"Accept": "text/html"}, timeout=30).text
        assert requests.get(f"{url}/docs", timeout=30).status_code == 200
        answer = requests.post(
            f"{url}/v2/rembg/blur/",
            headers={"ApiKey": key},
            files={"image": SAMPLE.read_bytes()},
            data={"radius": "12"},
            timeout=60,
        )
    assert answer.status_code == 200
    with Image.open(BytesIO(answer.content)) as blurred, Image.open(SAMPLE) as photo:
        assert blurred.size == photo.size


def test_installed_bgblur_prints_its_version(bgblur: Path, empty: Path) -> None:
    output = subprocess.check_output([bgblur, "--version"], cwd=empty, env=environ(empty))
    assert re.search(rb"\d+\.\d+\.\d+", output)


def test_wheel_of_the_api_contains_models_and_licence_and_page_but_no_tests(
    wheels: Path,
) -> None:
    [wheel] = wheels.glob("background_blur_api-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("u2netp-light", "selfie-segmentation", "face-detection"):
        assert f"bgblur/data/models/{name}.onnx" in names
    assert any(name.endswith("LICENSE.U-2-Net") for name in names)
    assert {f"bgblur/data/site/{file.name}" for file in (ROOT / "site").iterdir()} <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "bgblur",
        "blur",
        "blur_client",
    }


def test_modules_of_blur_client_are_the_same_in_both_wheels(wheels: Path) -> None:
    def client(pattern: str) -> dict[str, bytes]:
        [path] = wheels.glob(pattern)
        with zipfile.ZipFile(path) as wheel:
            names = [name for name in wheel.namelist() if name.startswith("blur_client/")]
            return {name: wheel.read(name) for name in names if name.endswith(".py")}

    alone = client("blur_client-*.whl")
    assert alone
    assert alone == client("background_blur_api-*.whl")


def test_both_wheels_have_the_same_version(wheels: Path) -> None:
    versions = {wheel.name.split("-")[1] for wheel in wheels.glob("*.whl")}
    assert len(versions) == 1


def test_the_client_imports_no_module_of_the_service() -> None:
    script = "import sys, blur_client; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", script]
    path = {"PYTHONPATH": str(CLIENT.parent)}
    done = subprocess.run(command, env=path, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "requests" in loaded
    assert not loaded & HEAVY


def test_the_client_can_be_installed_without_the_service(tmp_path: Path) -> None:
    project = tmp_path / "blur_client"
    project.mkdir()
    for file in CLIENT.iterdir():
        if file.is_file():
            (project / file.name).write_bytes(file.read_bytes())
    install = ["install", "--no-deps", "--no-index", "--no-build-isolation", "--no-compile"]
    into = ["--target", str(tmp_path / "site"), str(project)]
    command = [sys.executable, "-m", "pip", *install, *into]
    subprocess.run(command, capture_output=True, check=True)
    installed = {path.name for path in (tmp_path / "site" / "blur_client").iterdir()}
    assert {path.name for path in CLIENT.glob("*.py")} | {"py.typed"} <= installed


@contextmanager
def served(bgblur: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Run `bgblur serve --demo` in the folder; yield its address and the demo key."""
    command = [str(bgblur), "serve", "--demo", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=environ(folder), stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        try:
            shown = ""
            while not (key := re.search(r"bb_live_\w+", shown)):
                line = server.stdout.readline()
                assert line, f"the server ended: {shown}"
                shown += line
            [url] = set(re.findall(r"http://127\.0\.0\.1:\d+", shown))
            yield url, key[0]
        finally:
            server.send_signal(signal.SIGTERM)
            status = server.wait(timeout=60)
    assert status in {0, -signal.SIGTERM}
