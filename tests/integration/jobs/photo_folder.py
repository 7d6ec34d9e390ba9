"""Folders of photos, and the manifests of folders of results, for tests of `bgblur jobs`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from events import make

PHOTO = make.jpeg()


def fill(folder: Path, names: Sequence[str], data: bytes = PHOTO) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of a manifest by their source."""
    lines = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    by_source = {row["source"]: row for row in rows}
    assert len(by_source) == len(rows), "the manifest has two rows for one photo"
    return by_source
