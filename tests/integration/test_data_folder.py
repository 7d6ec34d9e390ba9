"""The default database of the commands, and which commands create a database."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.integration.forked import run_bgblur
from tests.integration.running import BGBLUR, ServerProcess, environment, running

from bgblur import local_settings

READING = [
    ["accounts", "list"],
    ["accounts", "list", "--json"],
    ["accounts", "show", "ACCOUNT"],
    ["accounts", "ledger", "ACCOUNT"],
    ["accounts", "audit"],
    ["keys", "list"],
]
CHANGING = [
    ["accounts", "top-up", "ACCOUNT", "5"],
    ["accounts", "adjust", "ACCOUNT", "5", "--note", "why", "--yes"],
    ["keys", "issue", "--account", "ACCOUNT"],
    ["keys", "rotate", "PREFIX"],
    ["keys", "limit", "PREFIX", "--rate", "5"],
    ["keys", "revoke", "PREFIX", "--yes"],
]

REMOVEBG_LINE = (
    r"^remove\.bg clients: set the API address to (\S+) \(without version: \S+\)"
    r" and the key to (.+)$"
)


def without_settings() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("BLUR_")}


def call(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return run_bgblur(words, cwd=cwd, env={**without_settings(), **env})


def start(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BGBLUR, *words],
        cwd=cwd,
        env={**without_settings(), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("words", [*READING, *CHANGING], ids=" ".join)
def test_command_that_needs_an_existing_account_does_not_create_the_database(
    words: list[str], tmp_path: Path
) -> None:
    done = call(*words, cwd=tmp_path, BLUR_ACCOUNTS="sqlite:shop/accounts.db")
    assert done.returncode == 1
    assert f"There are no accounts at {tmp_path}/shop/accounts.db." in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["keys", "issue"], ["accounts", "create", "shop"]])
def test_command_that_creates_an_account_prints_the_path_of_the_database(
    words: list[str], tmp_path: Path
) -> None:
    place = tmp_path / "shop" / "accounts.db"
    done = call(*words, cwd=tmp_path, BLUR_ACCOUNTS="sqlite:shop/accounts.db")
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^stored_in +{re.escape(str(place))}$", done.stdout, re.MULTILINE)
    assert place.exists()
    in_json = call(*words, "--json", cwd=tmp_path, BLUR_ACCOUNTS=f"sqlite:{place}")
    assert json.loads(in_json.stdout)["stored_in"] == str(place)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the structure of a checkout: the commands and `pyproject.toml`."""
    root = tmp_path / "checkout"
    shutil.copytree(local_settings.CHECKOUT / "tools" / "bgblur", root / "tools" / "bgblur")
    shutil.copy(local_settings.CHECKOUT / "pyproject.toml", root)
    return root


@pytest.mark.parametrize("installed", [False, True], ids=["checkout", "installed"])
def test_the_default_database_does_not_depend_on_the_current_folder(
    checkout: Path, tmp_path: Path, *, installed: bool
) -> None:
    if installed:
        (checkout / "pyproject.toml").unlink()
    env = {"PYTHONPATH": str(checkout / "tools"), "XDG_DATA_HOME": str(tmp_path / "data")}
    place = (
        tmp_path / "data" / "background-blur" if installed else checkout / "var"
    ) / "accounts.db"
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        done = start("accounts", "create", name, "--json", cwd=folder, **env)
        assert json.loads(done.stdout)["stored_in"] == str(place), done.stderr
        assert list(folder.iterdir()) == []
    listed = json.loads(start("accounts", "list", "--json", cwd=tmp_path, **env).stdout)
    assert {account["name"] for account in listed} == {"first", "second"}
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@pytest.mark.parametrize("home", ["", "relative"])
def test_data_folder_is_below_home_if_xdg_data_home_is_unset_or_relative(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_settings, "CHECKOUT", Path("/nowhere"))
    monkeypatch.setenv("HOME", "/home/someone")
    environ = {"XDG_DATA_HOME": home} if home else {}
    expected = Path("/home/someone/.local/share/background-blur")
    assert local_settings.data_folder(environ) == expected
    settings = local_settings.settings({"BLUR_SITE_DIR": "/site", **environ})
    assert settings.accounts == f"sqlite:{expected}/accounts.db"
    assert settings.media == f"folder:{expected}/media"
    assert local_settings.settings({"BLUR_ACCOUNTS": "dynamodb:t"}).accounts == "dynamodb:t"


@pytest.mark.parametrize("words", [[], ["accounts"], ["keys"], ["serve"]], ids=str)
def test_help_names_the_data_folder(words: list[str], tmp_path: Path) -> None:
    text = re.sub(r"\s+", " ", call(*words, "--help", cwd=tmp_path).stdout)
    assert "$XDG_DATA_HOME/background-blur" in text
    assert "Set BLUR_ACCOUNTS to use another database" in text


def test_each_database_has_its_own_demo_key_which_a_restarted_server_prints_again(
    tmp_path: Path, model_dir: Path
) -> None:
    issued: dict[str, str] = {}
    for name in ("a.db", "b.db", "a.db"):
        env = environment(tmp_path, model_dir, BLUR_ACCOUNTS=f"sqlite:{tmp_path / name}")
        with running(tmp_path, env, "--demo") as server:
            printed = server.out.read_text()
        [key] = re.findall(r"^Demo key: +(\S+)$", printed, re.MULTILINE)
        assert f"Accounts:  {tmp_path / name}\n" in printed
        assert issued.setdefault(name, key) == key, (
            "a server with the same database printed another demo key"
        )
        assert (tmp_path / f"{name}.demo-key").read_text().strip() == key
        assert stat.S_IMODE((tmp_path / f"{name}.demo-key").stat().st_mode) == 0o600
    assert len(set(issued.values())) == 2
    assert not (tmp_path / "var").exists()


def test_a_server_whose_demo_key_cannot_be_read_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "k.db.demo-key").mkdir()
    words = ("serve", "--demo", "--port", "0")
    done = call(*words, cwd=tmp_path, BLUR_ACCOUNTS="sqlite:k.db")
    assert done.returncode == 1
    assert done.stderr == "Error: k.db.demo-key cannot be used: Is a directory\n"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[ServerProcess]:
    """Start a server with a demo key."""
    folder = tmp_path_factory.mktemp("demo")
    with running(folder, environment(folder, model_dir), "--demo") as server:
        yield server


def test_server_prints_the_api_address_and_the_key_for_clients_of_remove_bg(
    demo: ServerProcess, tmp_path: Path, model_dir: Path
) -> None:
    printed = demo.out.read_text()
    [key] = re.findall(r"^Demo key: +(\S+)$", printed, re.MULTILINE)
    [(address, printed_key)] = re.findall(REMOVEBG_LINE, printed, re.MULTILINE)
    assert (address, printed_key) == (f"{demo.url}/v1.0", key)
    env = environment(tmp_path, model_dir, BLUR_PUBLIC_URL="https://api.example/")
    with running(tmp_path, env) as server:
        [(address, printed_key)] = re.findall(REMOVEBG_LINE, server.out.read_text(), re.MULTILINE)
    assert (address, printed_key) == ("https://api.example/v1.0", "a key of this server")


def test_code_in_the_printed_link_can_be_exchanged_for_the_demo_key_only_once(
    demo: ServerProcess,
) -> None:
    printed = demo.out.read_text()
    [key] = re.findall(r"^Demo key: +(\S+)$", printed, re.MULTILINE)
    [link] = re.findall(r"^Open: +(\S+)$", printed, re.MULTILINE)
    assert key not in link
    code = {"code": link.partition("#code=")[2]}
    first = requests.post(f"{demo.url}/key-link", json=code, timeout=10)
    again = requests.post(f"{demo.url}/key-link", json=code, timeout=10)
    assert first.json() == {"key": key}
    assert again.status_code == 404
