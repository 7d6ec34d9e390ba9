"""The folder and the environment of a reader of the documentation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.integration.reader import furnish

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def env(model_dir: Path) -> dict[str, str]:
    """Return the environment of a reader who has set no `BLUR_` variables, in a new checkout."""
    ours = {name: text for name, text in os.environ.items() if "BLUR_" not in name}
    return {
        **ours,
        "BLUR_MODEL_DIR": str(model_dir),
        "BLUR_ACCOUNTS": "sqlite:var/accounts.db",
        "BLUR_MEDIA": "folder:var/media",
    }


@pytest.fixture
def new_folder(tmp_path: Path) -> Path:
    furnish(tmp_path)
    return tmp_path
