from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bgblur.cli import main
from bgblur.printable import printable
from bgblur.tables import show, show_table

RED = "\x1b[31mred\x9b2J\nforged line\u202e"


def test_only_characters_that_are_not_printable_are_replaced() -> None:
    assert printable("Zürich 東京.jpg") == "Zürich 東京.jpg"
    assert printable(RED) == "?[31mred?2J?forged line?"
    assert printable("\udcff.jpg") == "?.jpg"


@pytest.mark.parametrize(
    "arguments",
    [
        (RED,),
        (f"--{RED}",),
        ("blur", "-r", "5", RED),
        ("blur", "-r", "5", f"--{RED}", "x"),
        ("blur", "-r", RED, "x"),
        ("blur", "-r", "5", "--blur", RED, "x"),
        ("blur", "-r", "5", "--format", "png", "-o", f"{RED}.jpg", "here.jpg"),
        ("blur", "-r", "5", "-o", f"x.{RED}", "here.jpg"),
        ("blur", "-r", "5", "--api", RED, "--key", RED, "here.jpg"),
        ("blur", "-r", "5", "--api", "http://127.0.0.1:9", "--key", RED, "here.jpg"),
        ("blur", "-r", "5", "-o", "here.jpg", f"{RED}.jpg"),
        ("blur", "-r", "5", "-o", f"{RED}.jpg/x", "here.jpg", f"{RED}.jpg"),
        ("blur", "-r", "5", f"{RED}folder"),
        ("blur", "-r", "5", "-o", "-", f"{RED}.jpg"),
        ("keys", "revoke", "prefix", RED),
        ("keys", "revoke", RED),
        ("accounts", RED),
        ("serve", "--port", RED),
        ("serve", RED),
    ],
)
def test_no_argument_can_send_commands_to_the_terminal(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLUR_MODEL_DIR", "/nowhere")
    Path("here.jpg").touch()
    Path(f"{RED}.jpg").touch()
    Path(f"{RED}folder").mkdir()
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in {1, 2}
    lines = done.output.splitlines()
    assert lines
    assert all(line == printable(line) for line in lines)
    assert not any(line.startswith("forged") for line in lines)


def test_account_names_cannot_send_commands_to_the_terminal_and_are_exact_in_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show({"name": RED}, as_json=False)
    show_table([{"name": RED}], as_json=False)
    table = capsys.readouterr().out
    assert "\x1b" not in table
    assert "\nforged" not in table
    show({"name": RED}, as_json=True)
    document = capsys.readouterr().out
    assert "\x1b" not in document
    assert json.loads(document) == {"name": RED}


def test_a_file_that_cannot_be_used_is_reported_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs" / "submitted.jsonl").mkdir(parents=True)
    monkeypatch.setattr("bgblur.jobs.submitted.local_settings.data_folder", lambda _: tmp_path)
    result = CliRunner().invoke(main, ["jobs", "list"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path}")
    assert "submitted.jsonl cannot be used: Is a directory" in result.stderr
