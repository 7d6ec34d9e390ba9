"""`bgblur keys` issues, limits, rotates and revokes keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.integration.commands.conftest import Command, read

from blur.accounts import keys

if TYPE_CHECKING:
    from pathlib import Path

KEY = re.compile(r"bb_(live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")


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


def test_a_new_live_key_without_credits_is_printed_with_the_command_that_adds_credits(
    bgblur: Command,
) -> None:
    issued = bgblur("keys", "issue")
    added = re.search(r"no credits\. To add credits, run: bgblur (.*)", issued.stderr)
    assert added is not None
    assert re.search(r"^balance +500$", bgblur(*added[1].split()).stdout, re.MULTILINE)
    account = added[1].split()[2]
    assert bgblur("keys", "issue", "--account", account).stderr == ""
    assert bgblur("keys", "issue", "--test").stderr == ""
    assert bgblur("keys", "issue", "--json").stderr == ""


def test_a_key_is_rotated_with_a_grace_period_and_revoked(bgblur: Command) -> None:
    old = read(bgblur("keys", "issue", "--json"))
    new = read(bgblur("keys", "rotate", old["prefix"], "--grace", "1h", "--json"))
    assert new["account"] == old["account"]
    assert new["key"] != old["key"]
    listed = {row["prefix"]: row for row in read(bgblur("keys", "list", "--json"))}
    assert listed[old["prefix"]]["expires"] is not None
    assert listed[new["prefix"]]["expires"] is None
    assert read(bgblur("keys", "revoke", old["prefix"], "--yes", "--json"))["status"] == "revoked"


def test_a_revoked_key_cannot_be_rotated(bgblur: Command) -> None:
    prefix = read(bgblur("keys", "issue", "--json"))["prefix"]
    read(bgblur("keys", "revoke", prefix, "--yes", "--json"))
    rotated = bgblur("keys", "rotate", prefix)
    assert (rotated.returncode, "revoked" in rotated.stderr) == (1, True)


def test_a_rotated_key_has_the_old_keys_expiry(bgblur: Command) -> None:
    old = read(bgblur("keys", "issue", "--expires", "30d", "--json"))
    new = read(bgblur("keys", "rotate", old["prefix"], "--json"))
    assert new["expires"] == old["expires"] is not None


def test_a_key_is_found_only_by_its_prefix_or_by_the_whole_key(bgblur: Command) -> None:
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


def test_keys_revoke_asks_for_confirmation(bgblur: Command) -> None:
    prefix = read(bgblur("keys", "issue", "--json"))["prefix"]
    assert bgblur("keys", "revoke", prefix, answer="n\n").returncode == 1
    assert read(bgblur("keys", "list", "--json"))[0]["status"] == "valid"
    assert bgblur("keys", "revoke", prefix, answer="y\n").returncode == 0
    assert read(bgblur("keys", "list", "--json"))[0]["status"] == "revoked"


def test_a_key_can_have_its_own_rate_limit(bgblur: Command) -> None:
    prefix = read(bgblur("keys", "issue", "--rate", "7", "--json"))["prefix"]
    changed = read(bgblur("keys", "limit", prefix, "--rate", "60", "--burst", "5", "--json"))
    assert (changed["per_minute"], changed["burst"]) == (60, 5)


def test_changing_one_value_of_a_rate_limit_never_increases_the_other_value(
    bgblur: Command,
) -> None:
    prefix = read(bgblur("keys", "issue", "--rate", "3", "--burst", "2", "--json"))["prefix"]
    for options, expected in (
        (["--burst", "7"], (3, 7)),
        (["--rate", "9"], (9, 7)),
        (["--rate", "5"], (5, 5)),
    ):
        changed = read(bgblur("keys", "limit", prefix, *options, "--json"))
        assert (changed["per_minute"], changed["burst"]) == expected
    without = bgblur("keys", "limit", prefix)
    assert without.returncode == 2
    assert "Set --rate, --burst, or both." in without.stderr
    (listed,) = read(bgblur("keys", "list", "--json"))
    assert (listed["per_minute"], listed["burst"]) == (5, 5)


def test_options_for_a_new_account_are_rejected_for_an_existing_account(bgblur: Command) -> None:
    account = read(bgblur("keys", "issue", "--json"))["account"]
    for option in (["--name", "shop"], ["--credits", "5"]):
        rejected = bgblur("keys", "issue", "--account", account, *option)
        assert rejected.returncode == 2
        assert f"{option[0]} is for a new account" in rejected.stderr
