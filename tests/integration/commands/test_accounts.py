"""`bgblur accounts` changes and shows the credits of accounts."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

from tests.integration.commands.conftest import Command, read

if TYPE_CHECKING:
    from pathlib import Path


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


def test_the_confirmation_of_an_adjustment_shows_the_credits_with_their_sign(
    bgblur: Command,
) -> None:
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
    assert (other.returncode, "the ledger already has entry" in other.stderr) == (1, True)
    assert read(bgblur("accounts", "show", account, "--json"))["balance"] == 5


def test_an_audit_prints_the_differences_and_exits_with_3(bgblur: Command, tmp_path: Path) -> None:
    account = read(bgblur("accounts", "create", "shop", "--credits", "10", "--json"))["account"]
    with sqlite3.connect(tmp_path / "accounts.db") as database:
        database.execute("UPDATE accounts SET balance_quarters = balance_quarters + 1")
    database.close()
    audit = bgblur("accounts", "audit", account)
    assert audit.returncode == 3
    assert f"{account}: granted 10 - used 0 is not equal to balance 10.25 + held 0" in audit.stdout
