"""docs/client.md: its commands and its program run, and it tells of every option."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from tests.integration.client.photos import PHOTO
from tests.integration.running import BGBLUR

from bgblur.blurring.command import blur
from bgblur.blurring.options import OPTIONS

if TYPE_CHECKING:
    from tests.integration.media.conftest import Api

GIVEN = {"photo.jpg", "album/a.jpg", "album/sub/b.jpg"}
DOCS = (Path(__file__).parents[3] / "docs" / "client.md").read_text("utf-8")


def blocks(language: str) -> str:
    """Return every block of a language, one below the other."""
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the commands speak of, and `bgblur` on the way to it."""
    (tmp_path / "album" / "sub").mkdir(parents=True)
    for name in GIVEN:
        (tmp_path / name).write_bytes(PHOTO)
    program = tmp_path / "bin" / "bgblur"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(BGBLUR)} "$@"\n')
    program.chmod(0o755)
    return tmp_path


def run(command: list[str], script: str, folder: Path, api: Api, model_dir: Path) -> str:
    """Run a script of the documentation on the test's own server."""
    told = script.replace("https://api.example.com", api.server.url)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [*command, told.replace("YOUR_API_KEY", api.key)],
        cwd=folder,
        env={**os.environ, "PATH": path, "BLUR_MODEL_DIR": str(model_dir)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_do_what_is_said_of_them(folder: Path, api: Api, model_dir: Path) -> None:
    printed = run(["sh", "-euc"], blocks("sh"), folder, api, model_dir)
    assert '"blurred": 1' in printed
    made = {str(path.relative_to(folder)) for path in folder.rglob("*.*")} - GIVEN
    assert made == {
        *("photo-blurred.png", "cut.png", "lens.jpg", "piped.png", "again.png"),
        *("blurred/a.png", "blurred/sub/b.png", "from-api/a.png"),
    }


def test_the_program_runs_as_it_stands(folder: Path, api: Api, model_dir: Path) -> None:
    printed = run([sys.executable, "-c"], blocks("python"), folder, api, model_dir)
    assert printed.startswith("1 credit, ")
    assert (folder / "blurred.png").stat().st_size > 0


def test_every_option_is_told_of_in_the_table() -> None:
    table = re.findall(r"^\| (`-.*?) \|", DOCS, re.MULTILINE)
    told = {flag for cell in table for flag in re.findall(r"`(-\S+?)`", cell)}
    options = [param for param in blur.params if isinstance(param, click.Option)]
    assert {option.field for option in OPTIONS} < {option.name for option in options}
    assert told == {flag for option in options for flag in option.opts}
