"""The threat model: the tests that it names exist, and its list of exceptions is complete."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from tests.documents import ROOT, read

PAGE = read("docs/security.md")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
EXCEPTIONS = re.findall(r"^\| `([\w/.]+)` \| (S\d+(?:, S\d+)*) \|", PAGE, re.MULTILINE)


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_test_that_the_threat_model_names_exists(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in names_in(file)


def test_the_security_page_lists_exactly_the_exceptions_from_the_security_rules() -> None:
    found = set()
    for file in (*ROOT.glob("*.py"), *ROOT.glob("[!.]*/**/*.py")):
        path = file.relative_to(ROOT)
        if path.parts[0] not in {"build", "tests"}:
            lines = re.findall(
                r"# noqa: ([A-Z0-9, ]+?)(?: - |$)", file.read_text("utf-8"), re.MULTILINE
            )
            rules = {rule for line in lines for rule in re.findall(r"\bS\d{3}\b", line)}
            found |= {(str(path), rule) for rule in rules}
    listed = [(where, rule) for where, rules in EXCEPTIONS for rule in rules.split(", ")]
    assert {exception for exception in found if not covers(listed, *exception)} == set()
    assert [
        one for one in listed if not any(covers([one], *exception) for exception in found)
    ] == []


def covers(listed: list[tuple[str, str]], path: str, rule: str) -> bool:
    return any(path.startswith(where) and rule == each for where, each in listed)
