"""Wrong commands and settings end with a clear message."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from secrets import token_bytes
from typing import TYPE_CHECKING

import pytest

from blur.accounts import keys
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.clock import now

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.commands.conftest import Command

NO_CREDITS = "is not a number of credits: whole, or with .25, .5 or .75"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("accounts", "show", "nobody123456"), 1, "Error"),
        (("keys", "revoke", "nonsense"), 1, "identify the key by its prefix"),
        (("keys", "issue", "--expires", "soon"), 2, "not a duration"),
        (("accounts", "adjust", "nobody123456", "-3", "--note", "x", "--yes"), 1, "nobody123456"),
        (("accounts", "top-up", "nobody123456", "0"), 2, "0"),
        (("accounts", "top-up", "nobody123456", "9" * 30), 2, "range"),
        (("accounts", "top-up", "nobody123456", "-5"), 2, "range from 0.25 to 1000000000000"),
        (("accounts", "top-up", "nobody123456", "5", "--nte", "x"), 2, "No such option"),
        (("accounts", "adjust", "nobody123456", "5", "--nte", "x"), 2, "No such option"),
        (("accounts", "adjust", "nobody123456", "0", "--note", "x", "--yes"), 2, "must not be 0"),
        (("accounts", "top-up", "nobody123456", "0.1"), 2, f"'0.1' {NO_CREDITS}"),
        (("accounts", "top-up", "nobody123456", "ten"), 2, f"'ten' {NO_CREDITS}"),
        (("accounts", "top-up", "nobody123456", "0"), 2, "range from 0.25 to 1000000000000"),
        (("accounts", "adjust", "nobody123456", "-0.3", "--note", "x"), 2, f"'-0.3' {NO_CREDITS}"),
        (("accounts", "create", "shop", "--credits", "0.333"), 2, f"'0.333' {NO_CREDITS}"),
        (("keys", "issue", "--credits", "1,5"), 2, f"'1,5' {NO_CREDITS}"),
        (("accounts", "ledger", "nobody123456"), 1, "nobody123456"),
        (("keys", "issue", "--account", "nobody"), 1, "nobody"),
        (("keys", "issue", "--expires", "999999999d"), 2, "to 36500d"),
        (("keys", "issue", "--expires", "0s"), 2, "from 1s"),
        (("keys", "issue", "--rate", "1" + 40 * "0"), 2, "range"),
        (("keys", "issue", "--burst", "200000000000"), 2, "range"),
        (("keys", "issue", "--burst", "0"), 2, "range"),
        (("keys", "issue", "--credits", "1" + 40 * "0"), 2, "range"),
        (("keys", "issue", "--name", 1_100 * "n"), 2, "1100 characters"),
        (("keys", "issue", "--account", 3_000 * "a"), 2, "3000 characters"),
        (("keys", "limit", "bb_live_nobody123456_abcd", "--burst", "9" * 20), 2, "range"),
        (("keys", "rotate", "bb_live_nobody123456_abcd", "--grace", "99999d"), 2, "to 36500d"),
        (("keys", "revoke", 1_100 * "k", "--yes"), 2, "1100 characters"),
        (("accounts", "create", 1_100 * "n"), 2, "1100 characters"),
        (("accounts", "create", "two\nlines"), 2, "line break"),
        (("accounts", "create", "shop", "--credits", "-1"), 2, "range"),
        (("accounts", "show", 3_000 * "a"), 2, "3000 characters"),
        (("accounts", "audit", 3_000 * "a"), 2, "3000 characters"),
        (("accounts", "top-up", "nobody123456", "5", "--entry-id", ""), 2, "must not be empty"),
        (("accounts", "top-up", "nobody123456", "5", "--entry-id", " "), 2, "must not be empty"),
        (("accounts", "top-up", "nobody123456", "5", "--entry-id", 1_100 * "e"), 2, "1100"),
        (("accounts", "top-up", "nobody123456", "5", "--note", 1_100 * "e"), 2, "1100"),
        (("accounts", "top-up", "nobody123456", "5", "--note", "\udcff"), 2, "printed"),
        (("accounts", "adjust", "nobody123456", "1", "--note", "", "--yes"), 2, "must not be"),
    ],
)
def test_a_wrong_command_prints_the_reason_without_a_traceback(
    arguments: tuple[str, ...], code: int, message: str, bgblur: Command, tmp_path: Path
) -> None:
    with closing(SqliteAccountStore(tmp_path / "accounts.db")) as store:
        store.create_account(keys.new_account_id(token_bytes), "another", now_us=now())
    done = bgblur(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "BLUR_PRICE",
            "free",
            "BLUR_PRICE='free' is not a number of credits",
        ),
        ("BLUR_ACCOUNTS", "postgres:x", "neither sqlite"),
        ("BLUR_MODEL", "u3net", "Choose one of: u2netp"),
        ("BLUR_MODEL_DIR", "/missing", "/missing/u2netp-light.onnx does not exist"),
    ],
)
def test_the_error_for_a_wrong_setting_contains_the_reason(
    variable: str, value: str, message: str, started: Command
) -> None:
    done = started("serve", "--port", "0", **{variable: value})
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_if_a_library_for_photos_cannot_be_loaded_the_error_contains_the_reason(
    started: Command, tmp_path: Path
) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open')")
    done = started("serve", "--port", "0", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "Error: libGL.so.1: cannot open\n"


def test_the_error_for_a_port_in_use_is_one_line_with_the_reason(started: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = started("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert re.fullmatch(r"Error: .*already in use.*\n", done.stderr)


def test_a_command_and_the_server_reject_a_path_of_the_accounts_that_is_not_a_database(
    bgblur: Command, started: Command, tmp_path: Path
) -> None:
    path = tmp_path / "accounts.db"
    path.mkdir()
    for done in (bgblur("accounts", "list"), started("serve", "--port", "0")):
        assert done.returncode == 1
        assert done.stderr == f"Error: {path} is a folder, not a database of accounts.\n"
    path.rmdir()
    path.write_bytes(b"this is text, not a database " * 100)
    for done in (bgblur("accounts", "list"), started("serve", "--port", "0")):
        assert done.returncode == 1
        assert done.stderr == f"Error: {path} is not a SQLite database.\n"
