"""The commands and programs in docs/migrating-from-removebg.md run unchanged and save cutouts."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import documents
from tests.clients.conftest import ADDRESS, node
from tests.clients.pictures import is_cut_out, opened
from tests.integration.reader import Reader, furnish

if TYPE_CHECKING:
    from tests.clients.captured import File
    from tests.integration.storage.conftest import Api

DOCUMENT = "docs/migrating-from-removebg.md"
REVIEWED = {"ruby", "go", "php"}
"""Languages of blocks that are not run, because the clients are not on npm or PyPI."""


def blocks(language: str) -> list[str]:
    return [block.text for block in documents.blocks(DOCUMENT, language)]


@pytest.fixture
def reader(tmp_path: Path, api: Api, photo: File, python_clients: Path, npm_client: Path) -> Reader:
    """Return a `Reader` that uses the published clients, in a folder with a photo."""
    programs = furnish(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(photo.data)
    for module in python_clients.glob("*.py"):
        (tmp_path / module.name).write_bytes(module.read_bytes())
    runs = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m removebg_cli "$@"\n'
    (programs / "removebg").write_text(runs)
    (programs / "removebg").chmod(0o755)
    package = Path("node_modules") / "remove.bg"
    shutil.copytree(npm_client / package, tmp_path / package)
    script = tmp_path / package / "dist" / "index.js"
    script.write_text(script.read_text("utf-8").replace(api.server.url, ADDRESS), "utf-8")
    env = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": f"{tmp_path}:{python_clients}",
        "NODE_PATH": str(npm_client / "node_modules"),
        "URL": api.server.url,
        "KEY": api.key,
    }
    return Reader(
        tmp_path, env, {"https://api.example.com": api.server.url, "YOUR_API_KEY": api.key}
    )


def test_each_code_block_of_the_guide_is_in_a_language_that_is_run_or_reviewed() -> None:
    assert {block.language for block in documents.blocks(DOCUMENT)} == {
        *("sh", "python", "js"),
        *REVIEWED,
    }


def test_the_commands_and_the_node_program_save_cutouts(reader: Reader, tmp_path: Path) -> None:
    printed = reader.runs(["sh", "-euc", reader.filled_in("\n".join(blocks("sh")))])
    assert '"credits"' in printed
    assert "0.25 credits" in printed
    assert is_cut_out(opened(tmp_path / "cutout.png"))
    assert is_cut_out(opened(tmp_path / "photo-nobg.png"))
    (tmp_path / "cutout.png").unlink()
    [program] = blocks("js")
    assert reader.runs([node(), "--no-deprecation", "-e", reader.filled_in(program)]).split() == [
        *("0", "512", "512"),  # 0 credits, because this call is a copy of the first command's call
    ]
    assert is_cut_out(opened(tmp_path / "cutout.png"))


def test_the_program_for_python_saves_a_cutout(reader: Reader, tmp_path: Path) -> None:
    [program] = blocks("python")
    reader.runs([sys.executable, "-c", reader.filled_in(program)])
    assert is_cut_out(opened(tmp_path / "photo.jpg_no_bg.png"))


def test_curl_with_a_wrong_key_shows_the_error_and_saves_no_picture(
    reader: Reader, tmp_path: Path
) -> None:
    command = blocks("sh")[0].split("\ncurl")[0].replace("$KEY", "wrong")
    assert "auth_failed" in reader.types(f"! {{ {command}; }}")
    assert not (tmp_path / "cutout.png").exists()


def test_the_table_in_the_guide_has_every_field_of_remove_bg() -> None:
    table = re.findall(r"^\| (`.*?) \|", documents.read(DOCUMENT), re.MULTILINE)
    named = {name for cell in table for name in re.findall(r"`(\w+)`", cell)}
    assert named >= {
        *("image_file", "image_file_b64", "image_url", "size", "type", "type_level", "format"),
        *("roi", "crop", "crop_margin", "scale", "position", "channels", "add_shadow"),
        *("shadow_type", "shadow_opacity", "semitransparency"),
        *("bg_color", "bg_image_url", "bg_image_file"),
    }
