from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from blur_client import Client

CLIENT = Path(__file__).parents[3] / "tools" / "blur_client"
HEAVY = {"blur", "bgblur", "numpy", "onnxruntime", "PIL", "click"}


@pytest.mark.parametrize("url", ["api.example.com", "", "ftp://api.example.com"])
def test_an_invalid_server_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        Client(url, "bb_live_key")


@pytest.mark.parametrize("key", ["", " bb_live_key", "bb_live_key\n", "bb_live_schlüssel"])
def test_an_invalid_key_is_rejected_with_a_message_that_does_not_contain_the_key(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as error:
        Client("https://api.example.com", key)
    assert "bb_live" not in str(error.value)


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
