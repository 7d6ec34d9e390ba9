"""The output of `make bench-files` for a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.documents import ROOT
from tests.unit.imaging.pictures import astronaut, saved

if TYPE_CHECKING:
    from pathlib import Path


def printed(folder: Path | str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(ROOT / one) for one in (".", "functions", "tools"))
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "files.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


def test_files_are_counted_by_kind_and_rejections_are_listed(tmp_path: Path) -> None:
    picture = Image.fromarray(astronaut(60, 80))
    (tmp_path / "nested").mkdir()
    (tmp_path / "nested" / "one.jpg").write_bytes(saved(picture, "JPEG", quality=95))
    (tmp_path / "two.jpg").write_bytes(saved(picture, "JPEG")[:300])
    (tmp_path / "three.png").write_bytes(saved(picture, "PNG"))
    (tmp_path / "four.pdf").write_bytes(b"%PDF-1.7")
    done = printed(tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["JPEG", "2", "1", "1"] in [row[:4] for row in rows]
    assert ["PNG", "1", "1", "0"] in [row[:4] for row in rows]
    assert [".pdf", "1", "0", "1"] in [row[:4] for row in rows]
    assert "four.pdf: A PDF is not supported." in done.stdout
    assert "two.jpg: The JPEG image is " in done.stdout


def test_the_error_for_a_folder_that_does_not_exist_shows_how_to_give_a_folder(
    tmp_path: Path,
) -> None:
    done = printed(tmp_path / "missing")
    assert done.returncode == 1
    assert "DATA=folder" in done.stderr


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_without_an_existing_folder_the_command_fails_and_prints_its_usage(folder: str) -> None:
    done = printed(folder)
    assert done.returncode == 1
    assert done.stderr == "Give a folder of image files: make bench-files DATA=folder\n"
