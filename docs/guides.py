"""Writes the guides for newcomers as JSON, which the reference page shows.

make openapi
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
GUIDES = ("coming-from-fapihub", "migrating-from-removebg")
SERVED = DOCS.parent / "site" / "guides.json"


def guides() -> list[dict[str, Any]]:
    """Return the name, title and blocks of each guide: its headings, texts, lists, tables, code."""
    return [_guide(name, (DOCS / f"{name}.md").read_text("utf-8")) for name in GUIDES]


def served() -> str:
    """Return the text of the JSON file."""
    return json.dumps(guides(), ensure_ascii=False, separators=(",", ":")) + "\n"


def _guide(name: str, text: str) -> dict[str, Any]:
    title, *blocks = re.split(r"\n{2,}(?![^`]*\n```(?:\n|$))", text.strip())
    return {"name": name, "title": title.removeprefix("# "), "blocks": [*map(_block, blocks)]}


def _block(text: str) -> dict[str, Any]:
    if text.startswith("```"):
        return {"kind": "code", "text": "\n".join(text.splitlines()[1:-1])}
    if text.startswith("## "):
        return {"kind": "heading", "text": text.removeprefix("## ")}
    if text.startswith("- "):
        items = re.split(r"\n- ", text.removeprefix("- "))
        return {"kind": "list", "items": [_joined(item) for item in items]}
    if text.startswith("|"):
        titles, _, *rows = [_cells(line) for line in text.splitlines()]
        return {"kind": "table", "titles": titles, "rows": rows}
    return {"kind": "text", "text": _joined(text)}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _joined(text: str) -> str:
    return re.sub(r"\s+", " ", text)


if __name__ == "__main__":
    SERVED.write_text(served(), "utf-8")
