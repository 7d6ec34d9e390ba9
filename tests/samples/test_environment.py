"""`make` creates the environment of Python packages."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_link_to_another_environment_is_replaced_and_the_other_environment_is_unchanged(
    tmp_path: Path,
) -> None:
    checkout, other = tmp_path / "checkout", tmp_path / "other"
    checkout.mkdir()
    other.mkdir()
    (other / "kept").write_text("a package")
    (checkout / ".venv").symlink_to(other)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)
    shutil.copytree(ROOT / "requirements", checkout / "requirements")
    subprocess.run(["make", "--silent", ".venv/ready"], cwd=checkout, check=True)
    assert [path.name for path in other.iterdir()] == ["kept"]
    assert not (checkout / ".venv").is_symlink()
    assert (checkout / ".venv" / "bin" / "python").is_file()
