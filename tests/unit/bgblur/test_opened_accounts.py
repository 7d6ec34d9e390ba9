"""The setting of the accounts, as `bgblur serve` prints it for other terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgblur.opened_accounts import absolute_setting

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_printed_setting_is_valid_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_setting("sqlite:rel.db") == f"sqlite:{tmp_path / 'rel.db'}"
    assert absolute_setting("sqlite:/a/b.db") == "sqlite:/a/b.db"
    assert absolute_setting("dynamodb:table") == "dynamodb:table"
