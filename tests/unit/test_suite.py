"""The tests themselves: each of them can fail."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

import pytest
from tests.documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

CHECKS = {"raises", "does_not_raise", "warns", "raise_for_status", "run_state_machine_as_test"}
"""Calls that fail a test, as those whose names begin with `assert` do."""
RECORDERS = {"record"}
"""Calls that write a trial's result, which checks nothing."""


def functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def called(function: Function) -> set[str]:
    """Return the names that the function calls, or hands over to be called."""
    names = set()
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        for each in (call.func, *call.args):
            if isinstance(each, ast.Name):
                names.add(each.id)
            elif isinstance(each, ast.Attribute):
                names.add(each.attr)
    return names - RECORDERS


def is_check(function: Function) -> bool:
    """Return whether the function itself has something in it that can fail."""
    return any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(function)) or any(
        name in CHECKS or name.startswith("assert") for name in called(function)
    )


def checking(trees: list[ast.Module]) -> set[str]:
    """Return the names of functions that check something, also by calling one that does."""
    bodies = defaultdict(list)
    for function in (each for tree in trees for each in functions(tree)):
        bodies[function.name].append(function)
    found = {name for name, same in bodies.items() if any(map(is_check, same))}
    calls = {name: set().union(*map(called, same)) for name, same in bodies.items()}
    while more := {name for name in calls.keys() - found if calls[name] & found}:
        found |= more
    return found


def unchecked(trees: list[ast.Module]) -> set[str]:
    """Return the names of the tests that reach no check."""
    known = checking(trees)
    return {
        function.name
        for tree in trees
        for function in functions(tree)
        if function.name.startswith("test_")
        and not is_check(function)
        and not called(function) & known
    }


@pytest.mark.parametrize(
    ("body", "is_unchecked"),
    [
        ("record(1)", True),
        ("print(1)", True),
        ("helper()", True),
        ("assert 1 == 2", False),
        ("checker()", False),
        ("pool.submit(checker)", False),
        ("with pytest.raises(ValueError): f()", False),
        ("np.testing.assert_array_equal(a, b)", False),
    ],
)
def test_a_test_without_a_check_is_found(body: str, *, is_unchecked: bool) -> None:
    helpers = "def helper(): print(1)\ndef checker(): inner()\ndef inner(): assert x\n"
    tree = ast.parse(f"{helpers}def record(x): assert x\ndef test_it():\n    {body}\n")
    assert unchecked([tree]) == ({"test_it"} if is_unchecked else set())


def test_every_test_can_fail() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.glob("tests/**/*.py"))]
    assert unchecked(trees) == set()
