"""Writes the OpenAPI document, openapi.yaml, as the JSON file that the function serves.

make openapi
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).parents[1] / "functions" / "blur" / "api" / "openapi.yaml"
SERVED = SOURCE.with_suffix(".json")


def described() -> dict[str, Any]:
    """Read openapi.yaml."""
    read: dict[str, Any] = yaml.safe_load(SOURCE.read_text("utf-8"))
    return read


def served() -> str:
    """Return the text of the JSON file, without white space, because only programs read it."""
    return json.dumps(described(), ensure_ascii=False, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    SERVED.write_text(served(), "utf-8")
