"""`bgblur blur` with wrong arguments: nothing is written, and the message has the reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from bgblur.cli import main

if TYPE_CHECKING:
    from click.testing import Result


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with a photo and a folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("one.jpg").touch()
    Path("new").mkdir()
    return folder


def blur(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["blur", "-r", "3", *arguments])


def rejects(message: str, *arguments: str) -> bool:
    done = blur(*arguments)
    is_clear = message in done.stderr and "Traceback" not in done.stderr
    return done.exit_code == 2 and is_clear


@pytest.mark.parametrize("suffix", ["/../../escape", "a/b", "/", "a\\b", "..\\b"])
@pytest.mark.parametrize("output", [(), ("-o", "new/")])
def test_a_suffix_with_a_slash_is_rejected(
    suffix: str, output: tuple[str, ...], folder: Path
) -> None:
    message = "The suffix cannot contain a slash or a backslash."
    assert rejects(message, "one.jpg", *output, "--suffix", suffix)
    assert sorted(path.name for path in folder.rglob("*")) == ["new", "one.jpg"]


@pytest.mark.parametrize("arguments", [("",), ("one.jpg", ""), ("one.jpg", "-o", "")])
def test_an_empty_path_is_rejected_and_does_not_mean_the_current_folder(
    arguments: tuple[str, ...],
) -> None:
    assert rejects("The path is empty.", *arguments)
