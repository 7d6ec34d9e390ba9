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
    """Change to a folder with a photo and a subfolder, and set a folder of models without a model.

    So a command with valid arguments fails, and its error names the folder of models, `/nowhere`.
    """
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BLUR_MODEL_DIR", "/nowhere")
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


@pytest.mark.parametrize("suffix", ["\n", "-a\nb", "-a\tb", "\x1b[2J", "\u2028"])
def test_a_suffix_with_a_line_break_or_a_control_character_is_rejected(suffix: str) -> None:
    message = "The suffix cannot contain a line break or a control character."
    assert rejects(message, "one.jpg", "--suffix", suffix)


@pytest.mark.parametrize("suffix", [" soft", "\u00a0a", "\u3000x", "\U0001f469\u200d\U0001f680"])
def test_a_suffix_can_have_any_spaces_and_symbols(suffix: str) -> None:
    assert rejects("/nowhere", "one.jpg", "--suffix", suffix)


@pytest.mark.parametrize("arguments", [("",), ("one.jpg", ""), ("one.jpg", "-o", "")])
def test_an_empty_path_is_rejected_and_does_not_mean_the_current_folder(
    arguments: tuple[str, ...],
) -> None:
    assert rejects("The path is empty.", *arguments)


def test_the_name_of_an_output_folder_can_have_a_dot_or_an_extension() -> None:
    Path("two.png").touch()
    Path("shoot.jpg").mkdir()
    for output in [("v1.1",), ("new.v1/",), ("shoot.jpg", "--format", "png")]:
        assert rejects("/nowhere", "one.jpg", "two.png", "-o", *output)


def test_the_output_for_a_photo_from_standard_input_cannot_be_a_folder() -> None:
    message = "Standard input has no file name, so -o cannot be a folder. Use a file name, or -."
    assert rejects(message, "-", "-o", "new")
    assert rejects(message, "-", "-o", "other/")
    assert not Path("other").exists()
