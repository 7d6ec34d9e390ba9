"""The operator's commands in a shell, on a real database."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

import pytest

from blur.accounts import keys
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.clock import now

from .running import BGBLUR

if TYPE_CHECKING:
    from pathlib import Path

Command = Callable[..., subprocess.CompletedProcess[str]]
KEY = re.compile(r"bb_(live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")


@pytest.fixture
def bgblur(tmp_path: Path) -> Command:
    """Return `bgblur` as a function of its arguments."""
    env = {**os.environ, "BLUR_ACCOUNTS": f"sqlite:{tmp_path / 'accounts.db'}"}

    def run(*arguments: str, answer: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*BGBLUR, *arguments],
            cwd=tmp_path,
            env={**env, **settings},
            input=answer,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def read(done: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - any JSON
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_key_is_printed_once_and_stored_only_as_a_digest(bgblur: Command, tmp_path: Path) -> None:
    issued = bgblur("keys", "issue", "--credits", "5")
    assert issued.returncode == 0
    text = KEY.search(issued.stdout)
    assert text is not None
    assert keys.parse(text[0]).prefix in bgblur("keys", "list").stdout
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert keys.parse(text[0]).digest.encode() in stored
    assert text[0][-49:].encode() not in stored
    assert text[0] not in bgblur("keys", "list").stdout


def test_an_account_is_created_topped_up_adjusted_and_audited(bgblur: Command) -> None:
    account = read(bgblur("accounts", "create", "shop", "--credits", "10", "--json"))["account"]
    read(bgblur("accounts", "top-up", account, "5", "--note", "invoice 1", "--json"))
    adjusted = bgblur("accounts", "adjust", "--note", "mistake", "--yes", "--json", account, "-3")
    assert read(adjusted)["balance"] == 12
    entries = read(bgblur("accounts", "ledger", account, "--json"))
    assert [(entry["kind"], entry["credits"]) for entry in entries] == [
        ("grant", 10),
        ("top_up", 5),
        ("adjustment", -3),
    ]
    assert read(bgblur("accounts", "audit", "--json")) == {"accounts": 1, "differences": []}
    assert read(bgblur("accounts", "list", "--json"))[0]["name"] == "shop"


def test_credits_have_decimals_only_if_they_are_not_whole(bgblur: Command) -> None:
    created = read(bgblur("accounts", "create", "shop", "--credits", "0.25", "--json"))
    account = created["account"]
    assert (created["balance"], created["granted"]) == (0.25, 0.25)
    bgblur("accounts", "top-up", account, "1.5", "--note", "invoice 1")
    adjusted = bgblur("accounts", "adjust", "--note", "mistake", "--yes", account, "-0.75")
    assert re.search(r"^balance +1$", adjusted.stdout, re.MULTILINE)
    ledger = bgblur("accounts", "ledger", account).stdout
    assert [line.split()[1:3] for line in ledger.splitlines()[1:]] == [
        ["grant", "0.25"],
        ["top_up", "1.5"],
        ["adjustment", "-0.75"],
    ]
    assert bgblur("accounts", "ledger", account, "--json").stdout.count(": 1.5,") == 1
    shown = bgblur("accounts", "show", account, "--json").stdout
    assert '"balance": 1, "held": 0, "granted": 1, "used": 0' in shown
    key = read(bgblur("keys", "issue", "--credits", "2.75", "--json"))
    assert key["balance"] == 2.75
    assert "2.75" in bgblur("keys", "list").stdout


def test_a_confirmation_shows_the_credits(bgblur: Command) -> None:
    account = read(bgblur("accounts", "create", "shop", "--credits", "2", "--json"))["account"]
    for amount, shown in (("0.25", "+0.25"), ("-1.50", "-1.5"), ("3", "+3")):
        refused = bgblur("accounts", "adjust", "--note", "x", account, amount, answer="n\n")
        assert f"Change the balance of {account} by {shown}? [y/N]" in refused.stderr
        assert refused.returncode == 1


def test_a_payment_that_is_sent_twice_with_one_id_is_added_once(bgblur: Command) -> None:
    account = read(bgblur("accounts", "create", "shop", "--json"))["account"]
    top_up = ("accounts", "top-up", account, "5", "--entry-id", "payment-7", "--json")
    assert read(bgblur(*top_up))["balance"] == read(bgblur(*top_up))["balance"] == 5
    other = bgblur("accounts", "top-up", account, "7", "--entry-id", "payment-7")
    assert (other.returncode, "in the ledger already" in other.stderr) == (1, True)
    assert read(bgblur("accounts", "show", account, "--json"))["balance"] == 5


def test_an_audit_prints_the_differences_and_fails(bgblur: Command, tmp_path: Path) -> None:
    account = read(bgblur("accounts", "create", "shop", "--credits", "10", "--json"))["account"]
    with sqlite3.connect(tmp_path / "accounts.db") as database:
        database.execute("UPDATE accounts SET balance_quarters = balance_quarters + 1")
    database.close()
    audit = bgblur("accounts", "audit", account)
    assert audit.returncode == 3
    assert f"{account}: granted 10 - used 0 is not balance 10.25 + held 0" in audit.stdout


def test_a_key_is_rotated_with_a_grace_period_and_revoked(bgblur: Command) -> None:
    old = read(bgblur("keys", "issue", "--json"))
    new = read(bgblur("keys", "rotate", old["prefix"], "--grace", "1h", "--json"))
    assert new["account"] == old["account"]
    assert new["key"] != old["key"]
    listed = {row["prefix"]: row for row in read(bgblur("keys", "list", "--json"))}
    assert listed[old["prefix"]]["expires"] is not None
    assert listed[new["prefix"]]["expires"] is None
    assert read(bgblur("keys", "revoke", old["prefix"], "--yes", "--json"))["status"] == "revoked"


def test_an_expired_or_revoked_key_cannot_be_rotated(bgblur: Command) -> None:
    prefix = read(bgblur("keys", "issue", "--json"))["prefix"]
    read(bgblur("keys", "revoke", prefix, "--yes", "--json"))
    rotated = bgblur("keys", "rotate", prefix)
    assert (rotated.returncode, "revoked" in rotated.stderr) == (1, True)


def test_a_rotated_key_has_the_old_keys_expiry(bgblur: Command) -> None:
    old = read(bgblur("keys", "issue", "--expires", "30d", "--json"))
    new = read(bgblur("keys", "rotate", old["prefix"], "--json"))
    assert new["expires"] == old["expires"] is not None


def test_a_key_is_found_only_by_its_prefix_or_its_text(bgblur: Command) -> None:
    issued = read(bgblur("keys", "issue", "--json"))
    for name in (issued["prefix"] + "Z", issued["prefix"][:-1], issued["key"][:-1] + "?"):
        assert bgblur("keys", "revoke", name, "--yes").returncode == 1
    assert read(bgblur("keys", "list", "--json"))[0]["status"] == "valid"
    assert read(bgblur("keys", "revoke", issued["key"], "--yes", "--json"))["status"] == "revoked"


def test_a_third_live_key_is_rejected(bgblur: Command) -> None:
    account = read(bgblur("keys", "issue", "--json"))["account"]
    read(bgblur("keys", "issue", "--account", account, "--json"))
    third = bgblur("keys", "issue", "--account", account)
    assert third.returncode == 1
    assert "Traceback" not in third.stderr
    assert read(bgblur("keys", "issue", "--account", account, "--test", "--json"))["kind"] == "test"


def test_irreversible_commands_ask_for_confirmation(bgblur: Command) -> None:
    prefix = read(bgblur("keys", "issue", "--json"))["prefix"]
    assert bgblur("keys", "revoke", prefix, answer="n\n").returncode == 1
    assert read(bgblur("keys", "list", "--json"))[0]["status"] == "valid"
    assert bgblur("keys", "revoke", prefix, answer="y\n").returncode == 0
    assert read(bgblur("keys", "list", "--json"))[0]["status"] == "revoked"


def test_a_key_can_have_its_own_rate_limit(bgblur: Command) -> None:
    prefix = read(bgblur("keys", "issue", "--rate", "7", "--json"))["prefix"]
    changed = read(bgblur("keys", "limit", prefix, "--rate", "60", "--burst", "5", "--json"))
    assert (changed["per_minute"], changed["burst"]) == (60, 5)


NO_CREDITS = "is not a number of credits: whole, or with .25, .5 or .75"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("accounts", "show", "nobody123456"), 1, "Error"),
        (("keys", "revoke", "nonsense"), 1, "name a key by its prefix"),
        (("keys", "issue", "--expires", "soon"), 2, "not a duration"),
        (("accounts", "adjust", "nobody123456", "-3", "--note", "x", "--yes"), 1, "nobody123456"),
        (("accounts", "top-up", "nobody123456", "0"), 2, "0"),
        (("accounts", "top-up", "nobody123456", "9" * 30), 2, "range"),
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
def test_a_wrong_command_prints_one_clear_line(
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
def test_the_error_for_a_wrong_setting_names_it(
    variable: str, value: str, message: str, bgblur: Command
) -> None:
    done = bgblur("serve", "--port", "0", **{variable: value})
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_error_for_a_port_in_use_names_it(bgblur: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = bgblur("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert re.fullmatch(r"Error: .*already in use.*\n", done.stderr)


def test_the_error_for_a_missing_store_is_clear(bgblur: Command, tmp_path: Path) -> None:
    (tmp_path / "accounts.db").mkdir()
    done = bgblur("accounts", "list")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
