"""The OpenAPI document and docs/api.md, read once for the tests that compare them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs.describe import SERVED

# This JSON file is faster to read than openapi.yaml. `test_description.py` compares the two files.
API: dict[str, Any] = json.loads(SERVED.read_text("utf-8"))
SCHEMAS = API["components"]["schemas"]
DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
OPERATIONS = [(path, method) for path, methods in API["paths"].items() for method in methods]


def resolved(node: Any) -> Any:  # noqa: ANN401 - any JSON value
    while isinstance(node, dict) and "$ref" in node:
        at: Any = API
        for step in node["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        node = at
    return node
