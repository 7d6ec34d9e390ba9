"""The contract's errors, and the documents that list them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import blur.parameter_errors  # noqa: F401 - its classes are subclasses of ApiError
from blur.errors import ApiError
from blur.removal_errors import RemovalError

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "api.md").read_text()


def leaves(error: type[ApiError]) -> list[type[ApiError]]:
    """Return the classes without subclasses that our own routes return."""
    children = [child for child in error.__subclasses__() if child is not RemovalError]
    return [leaf for child in children for leaf in leaves(child)] if children else [error]


@pytest.mark.parametrize("error", leaves(ApiError), ids=lambda error: error.__name__)
def test_an_error_is_documented_with_its_status(error: type[ApiError]) -> None:
    assert f"| {error.status.value} | `{error.code}` |" in DOCS
    assert f"`{error.code}`" in (ROOT / "README.md").read_text()


def test_each_error_has_its_own_code() -> None:
    assert set(Counter(error.code for error in leaves(ApiError)).values()) == {1}


def test_the_documentation_has_no_other_codes() -> None:
    documented = set(re.findall(r"^\| \d{3} \| `(\w+)` \|", DOCS, re.MULTILINE))
    assert documented == {error.code for error in leaves(ApiError)}
