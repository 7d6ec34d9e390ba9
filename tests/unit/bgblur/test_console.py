"""The name of the command in the commands that `bgblur` prints."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bgblur.console import command_name


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an installed command `bgblur`; its folder is not on the PATH."""
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    path = folder / "bgblur"
    path.touch(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    return path


@pytest.mark.parametrize("typed", [".venv/bin/bgblur", "{folder}/.venv/bin/bgblur"])
def test_a_command_that_was_started_by_its_path_is_printed_with_this_path(
    typed: str, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = typed.format(folder=script.parents[2])
    monkeypatch.setattr(sys, "argv", [typed])
    assert command_name() == typed


def test_a_command_that_is_on_the_path_is_printed_with_its_name(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", str(script.parent))
    assert command_name() == "bgblur"


@pytest.mark.parametrize("started", ["/nowhere/bgblur", "bgblur", __file__, ""])
def test_a_module_or_another_program_is_printed_as_bgblur(
    started: str, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert script.exists()
    monkeypatch.setattr(sys, "argv", [started])
    assert command_name() == "bgblur"
