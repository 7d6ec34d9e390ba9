"""Clients of remove.bg on PyPI run unchanged, except for the address."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.clients.conftest import ADDRESS, credits_of
from tests.clients.pictures import assembled, is_cut_out, opened

if TYPE_CHECKING:
    from tests.clients.captured import File
    from tests.integration.storage.conftest import Api

Ran = subprocess.CompletedProcess[str]
Client = Callable[..., Ran]
CALL = """
import sys, removebg.removebg as module
module.API_ENDPOINT, key, method, *arguments = sys.argv[1:]
getattr(module.RemoveBg(key, "errors.log"), method)(*arguments)
"""
REMBGPY = """
import sys, rembgpy.bg as module
module.base_url, key, kind, encoded = sys.argv[1:]
module.RemBg(key, "errors.log").remove_b64(encoded, type=kind, nfn="out.png")
"""
REMOVE_BG_API = """
import sys, remove_bg_api as module
module.API_URL, key = sys.argv[1:]
client = module.RemoveBg(key)
before = client.account.balance()
client.remove_bg_file("photo.jpg", raw=False, out_path="out.png", size="auto")
spent = before - client.account.balance()
client.account.refresh_balance()
print(client.account.get_balance_dict(), float(spent), float(before - client.account.balance()))
"""


@pytest.fixture
def removebg(python_clients: Path, api: Api, photo: File, tmp_path: Path) -> Client:
    """Return a function that calls a method of the package `removebg` with arguments."""
    (tmp_path / photo.name).write_bytes(photo.data)
    env = {**os.environ, "PYTHONPATH": str(python_clients)}

    def call(method: str, *arguments: str, key: str = api.key) -> Ran:
        endpoint = f"{api.server.url}/v1.0/removebg"
        return run([sys.executable, "-c", CALL, endpoint, key, method, *arguments], tmp_path, env)

    return call


@pytest.fixture
def command(python_clients: Path, api: Api, photo: File, tmp_path: Path) -> Client:
    """Return a function that runs `removebg_cli` with arguments; the command calls our server."""
    (tmp_path / photo.name).write_bytes(photo.data)
    text = (python_clients / "removebg_cli.py").read_text("utf-8")
    assert text.count(f"{ADDRESS}/v1.0/") == 3
    script = tmp_path / "removebg_cli.py"
    script.write_text(text.replace(ADDRESS, api.server.url), "utf-8")

    def call(*arguments: str, key: str = api.key) -> Ran:
        env = {**os.environ, "REMOVE_BG_API_KEY": key, "COLUMNS": "200"}
        return run([sys.executable, script.name, *arguments], tmp_path, env)

    return call


def run(words: list[str], folder: Path, env: dict[str, str]) -> Ran:
    return subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60
    )


def test_removebg_removes_the_background_of_a_file(
    removebg: Client, api: Api, tmp_path: Path
) -> None:
    before = credits_of(api)
    done = removebg("remove_background_from_img_file", "photo.jpg")
    assert (done.returncode, done.stderr) == (0, "")
    image = opened(tmp_path / "photo.jpg_no_bg.png")
    assert (image.format, image.size) == ("PNG", (500, 500))
    assert is_cut_out(image)
    assert before - credits_of(api) == 0.25


def test_removebg_removes_the_background_of_a_photo_in_base64(
    removebg: Client, photo: File, tmp_path: Path
) -> None:
    encoded = base64.b64encode(photo.data).decode()
    done = removebg("remove_background_from_base64_img", encoded, "4k", "big.png")
    assert (done.returncode, done.stderr) == (0, "")
    image = opened(tmp_path / "big.png")
    assert image.size == (512, 512)
    assert is_cut_out(image)


def test_removebg_gets_a_result_with_the_background_colour(
    removebg: Client, tmp_path: Path
) -> None:
    done = removebg("remove_background_from_img_file", "photo.jpg", "regular", "green")
    assert (done.returncode, done.stderr) == (0, "")
    corner = np.asarray(opened(tmp_path / "photo.jpg_no_bg.png").convert("RGB"))[:20, :20]
    assert np.abs(corner.reshape(-1, 3).mean(axis=0) - (0, 128, 0)).max() < 12


def test_removebg_raises_an_error_with_status_403_for_a_wrong_key(removebg: Client) -> None:
    done = removebg("remove_background_from_img_file", "photo.jpg", key="x")
    assert done.returncode == 1
    assert "HTTPError: 403 Client Error" in done.stderr


@pytest.mark.parametrize("kind", ["graphics", "car_interior"])
def test_rembgpy_can_send_types_that_remove_bg_does_not_document(
    kind: str, python_clients: Path, api: Api, photo: File, tmp_path: Path
) -> None:
    env = {**os.environ, "PYTHONPATH": str(python_clients)}
    endpoint, encoded = f"{api.server.url}/v1.0/removebg", base64.b64encode(photo.data).decode()
    done = run([sys.executable, "-c", REMBGPY, endpoint, api.key, kind, encoded], tmp_path, env)
    assert (done.returncode, done.stderr) == (0, "")
    image = opened(tmp_path / "out.png")
    assert image.size == (500, 500)
    assert is_cut_out(image)


def test_remove_bg_api_reads_a_balance_that_is_one_credit_lower_after_a_call(
    python_clients: Path, api: Api, photo: File, tmp_path: Path
) -> None:
    (tmp_path / photo.name).write_bytes(photo.data)
    env = {**os.environ, "PYTHONPATH": str(python_clients)}
    address = f"{api.server.url}/v1.0"
    done = run([sys.executable, "-c", REMOVE_BG_API, address, api.key], tmp_path, env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("} 1.0 1.0\n")
    assert is_cut_out(opened(tmp_path / "out.png"))


@pytest.mark.parametrize(
    ("options", "name", "size"),
    [
        ("-s preview", "photo-nobg.png", 500),
        ("", "photo-nobg.png", 512),
        ("-s 50MP -f webp", "photo-nobg.webp", 512),
    ],
)
def test_removebg_cli_cuts_out_a_file(
    options: str, name: str, size: int, command: Client, tmp_path: Path
) -> None:
    done = command("photo.jpg", *options.split())
    assert done.returncode == 0, done.stdout
    assert f"({'消耗 0.25' if size == 500 else '消耗 1'} credits)" in done.stdout
    image = opened(tmp_path / name)
    assert image.size == (size, size)
    assert is_cut_out(image)


def test_removebg_cli_gets_a_zip_with_a_cutout(command: Client, tmp_path: Path) -> None:
    done = command("photo.jpg", "-f", "zip")
    assert done.returncode == 0, done.stdout
    assert is_cut_out(assembled((tmp_path / "photo-nobg.zip").read_bytes()))


def test_removebg_cli_gets_a_cropped_jpeg_with_a_background_colour(
    command: Client, tmp_path: Path
) -> None:
    done = command("photo.jpg", "-f", "jpg", "-b", "white", "-c", "-o", "out/white.jpg")
    assert done.returncode == 0, done.stdout
    image = opened(tmp_path / "out" / "white.jpg")
    assert image.format == "JPEG"
    assert min(image.size) > 100
    assert image.size < (512, 512)
    assert np.asarray(image)[:4, :4].min() > 245


def test_removebg_cli_shows_the_credits_of_the_account(command: Client, api: Api) -> None:
    done = command("--account")
    assert done.returncode == 0, done.stdout
    assert f"{credits_of(api):g}" in done.stdout


def test_removebg_cli_shows_the_status_of_an_error_and_fails(command: Client) -> None:
    forbidden = command("photo.jpg", key="x")
    assert forbidden.returncode == 1
    assert "[403]: API Key invalid" in forbidden.stdout
    shadow = command("photo.jpg", "--shadow")
    assert shadow.returncode == 1
    assert "[400]: " in shadow.stdout
    assert command("--account", key="x").returncode == 1
