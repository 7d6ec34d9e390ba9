"""The commands and the program in docs/client.md work, and the document lists every option."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from tests import documents
from tests.integration.reader import PHOTOS, Reader, furnish
from tests.integration.storage.conftest import Api, serve

from bgblur.blurring.command import blur
from bgblur.blurring.options import OPTIONS
from bgblur.jobs.commands import jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = "docs/client.md"


def blocks(language: str) -> str:
    """Return all code blocks in a language, joined."""
    return "\n".join(block.text for block in documents.blocks(DOCUMENT, language))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Api]:
    yield from serve(tmp_path_factory.mktemp("api"), model_dir)


@pytest.fixture
def reader(tmp_path: Path, api: Api, model_dir: Path) -> Reader:
    """Return a `Reader` that runs commands in a folder of photos, with `bgblur` in its PATH."""
    path = f"{furnish(tmp_path)}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "BLUR_MODEL_DIR": str(model_dir)}
    words = {"https://api.example.com": api.server.url, "YOUR_API_KEY": api.key}
    return Reader(tmp_path, env, words)


def test_documented_commands_write_the_documented_files(reader: Reader, tmp_path: Path) -> None:
    printed = reader.runs(["sh", "-euc", reader.filled_in(blocks("sh"))])
    assert '"blurred": 1' in printed
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("[!.]*.*")}
    assert files - PHOTOS == {
        *("photo-blurred.jpg", "photo-cutout.png", "lens.webp", "piped.png", "again.png"),
        *("blurred/a.jpg", "blurred/sub/b.jpg", "from-api/a.jpg"),
        *("results/a.jpg", "results/sub/b.jpg", "results/manifest.jsonl"),
    }


def test_documented_program_prints_the_charge_and_writes_the_result(
    reader: Reader, tmp_path: Path
) -> None:
    printed = reader.runs([sys.executable, "-c", reader.filled_in(blocks("python"))])
    assert printed.startswith("1 credit, ")
    assert (tmp_path / "blurred.png").stat().st_size > 0
    assert "a.jpg done 1 None" in printed


def test_document_lists_exactly_the_options_of_the_commands() -> None:
    table = re.findall(r"^\| (`-.*?) \|", documents.read(DOCUMENT), re.MULTILINE)
    documented = {flag for cell in table for flag in re.findall(r"`(-\S+?)`", cell)}
    commands = [blur, *jobs.commands.values()]
    params = [param for command in commands for param in command.params]
    options = [param for param in params if isinstance(param, click.Option)]
    assert {option.field for option in OPTIONS} < {option.name for option in options}
    assert documented == {flag for o in options if not o.hidden for flag in o.opts}
