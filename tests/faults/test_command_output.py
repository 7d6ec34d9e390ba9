"""The output of the operator's commands: as CSV, to a full disk and to a closed pipe."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing

import pytest
from tests.integration.forked import run_bgblur
from tests.integration.running import BGBLUR

Shell = Callable[..., subprocess.CompletedProcess[str]]
MONTH = "2026-11"
FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NAMES = [
    "=1+1",
    " +1",
    "-1",
    "@SUM(A1)",
    "a;=1+1",
    "\uff1d1+1",
    'a,"b"',
    "plain; name",
    "Zürich 東京",
]
COMMANDS = [
    f"usage --month {MONTH} --csv",
    f"usage --month {MONTH}",
    f"usage --month {MONTH} --json",
    "accounts list",
    "accounts audit",
    "keys list",
]


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment with a database: one account per name in `NAMES`, each with one call.

    The tests only read the database.
    """
    folder = tmp_path_factory.mktemp("used")
    environ = {**os.environ, "BLUR_ACCOUNTS": f"sqlite:{folder / 'accounts.db'}"}
    environ.pop("PYTHONUNBUFFERED", None)
    for name in NAMES:
        issued = run_bgblur(["keys", "issue", "--json", "--name", name], cwd=folder, env=environ)
        assert json.loads(issued.stdout), issued.stderr
    database = sqlite3.connect(folder / "accounts.db")
    with closing(database), database:
        database.execute(
            "INSERT INTO key_usage SELECT account_id, ?, digest, 1, 4, 1, 0 FROM keys", (MONTH,)
        )
        database.execute("INSERT INTO usage SELECT account_id, ?, 1, 4 FROM accounts", (MONTH,))
    return environ


@pytest.fixture(scope="module")
def shell(environ: dict[str, str]) -> Shell:
    """Return a function that runs `bgblur` in a shell, with redirections."""

    def run(arguments: str, after: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f"{shlex.join(BGBLUR)} {arguments} {after}"],
            env={**environ, **variables},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=60,
        )

    return run


def test_no_cell_of_the_csv_output_is_a_formula_in_a_spreadsheet(shell: Shell) -> None:
    # The CSV is UTF-8 even if the encoding of the terminal is not.
    printed = shell(COMMANDS[0], PYTHONIOENCODING="latin-1")
    assert printed.returncode == 0, printed.stderr
    rows = list(csv.DictReader(io.StringIO(printed.stdout)))
    assert sorted(row["name"].replace("'", "") for row in rows) == sorted(NAMES)
    assert [row["credits"] for row in rows] == ["1"] * len(NAMES)
    for separator in (",", ";"):
        for cells in csv.reader(io.StringIO(printed.stdout), delimiter=separator):
            assert not any(cell.strip().startswith(FORMULAS) for cell in cells)
    document = json.loads(shell(COMMANDS[2]).stdout)
    assert {row["name"] for row in document} == set(NAMES)  # unchanged in the JSON output


def test_characters_that_the_terminal_cannot_show_are_printed_as_question_marks(
    shell: Shell,
) -> None:
    for command in COMMANDS[1:]:
        printed = shell(command, PYTHONIOENCODING="iso-8859-2")
        assert (printed.returncode in {0, 3}, printed.stderr) == (True, "")
    assert "rich ??" in shell("accounts list", PYTHONIOENCODING="iso-8859-2").stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_error_for_a_full_disk_is_one_line_with_the_reason(shell: Shell, unbuffered: str) -> None:
    for command in COMMANDS:
        done = shell(command, "> /dev/full", PYTHONUNBUFFERED=unbuffered)
        assert done.stderr == "Error: the output cannot be written: No space left on device\n"
        assert done.returncode == 1


def test_error_for_a_closed_output_is_one_line_with_the_reason(shell: Shell) -> None:
    for command in [*COMMANDS, "keys issue", "jobs list", "--help", "serve --port 0"]:
        done = shell(command, ">&-")
        assert done.stderr == "Error: standard input or output is closed\n"
        assert done.returncode == 1


def test_error_for_a_closed_input_is_one_line_with_the_reason(shell: Shell) -> None:
    (key, *_) = json.loads(shell("keys list --json", "<&-").stdout)
    done = shell(f"keys revoke {key['prefix']}", "<&-")
    assert done.stderr.endswith("Error: standard input or output is closed\n")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)


def test_commands_work_without_standard_error(shell: Shell) -> None:
    assert shell(COMMANDS[0], "2>&-").stdout == shell(COMMANDS[0]).stdout


def test_command_with_a_closed_pipe_as_output_prints_no_error(shell: Shell) -> None:
    for command in COMMANDS:
        assert shell(command, "| true").stderr == ""


def test_usage_with_both_csv_and_json_is_rejected(shell: Shell) -> None:
    done = shell("usage --csv --json")
    assert done.returncode == 2
    assert "use either --csv or --json" in done.stderr


def test_csv_of_a_month_without_calls_has_only_the_column_names(shell: Shell) -> None:
    for month in ("2000-01", "2099-12"):
        (head,) = shell(f"usage --month {month} --csv").stdout.splitlines()
        assert head.startswith("month,account,name,key,")
