"""Fixtures: a SQLite store, and the path of its file in a folder that does not exist yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blur.accounts.sqlite.account_store import SqliteAccountStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "accounts.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteAccountStore]:
    opened = SqliteAccountStore(path)
    yield opened
    opened.close()
