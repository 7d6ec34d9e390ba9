"""Creates the mutants of a file: a mutant is the file's whole text with one small change."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import Mutation, MutationVisitor, deep_replace
from mutmut.mutation.pragma_handling import IgnoredCode
from tests.mutants.operators import OPERATORS

CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


@dataclass(frozen=True)
class Mutant:
    """One change, and the changed text of the file."""

    file: str
    place: str
    """The function's qualified name, or the constant's name."""
    before: str
    after: str
    source: str

    @property
    def is_constant(self) -> bool:
        """Return whether the change is in a constant, not in a function."""
        return CONSTANT.fullmatch(self.place) is not None

    def __str__(self) -> str:
        return f"{self.file}: {self.place}\n  - {self.before}\n  + {self.after}"


class _Visitor(MutationVisitor):  # type: ignore[misc]  # mutmut is installed separately
    """Also visits decorated functions, which mutmut skips because it cannot replace them."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return False
        return bool(super()._skip_node_and_children(node))


def mutants_of(path: Path, name: str) -> Iterator[Mutant]:
    """Yield the mutants of a file's functions and constants; `name` becomes their `file`."""
    text = path.read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(text))
    visitor = _Visitor(OPERATORS, IgnoredCode(set(), set(), set()))
    module = wrapper.visit(visitor)
    places, prose = dict(_places(module)), set(_prose(module))
    seen = set()
    for mutation in visitor.mutations:
        place = _place(module, mutation, places)
        if place is None or mutation.original_node in prose:
            continue
        source = deep_replace(module, mutation.original_node, mutation.mutated_node).code
        mutant = Mutant(name, place, *_difference(text, source), source)
        if source not in seen and _compiles(source):
            seen.add(source)
            yield mutant


def _places(module: cst.Module) -> Iterator[tuple[cst.CSTNode, str]]:
    for statement in module.body:
        if isinstance(statement, cst.FunctionDef):
            yield statement, statement.name.value
        if isinstance(statement, cst.ClassDef):
            for method in statement.body.body:
                if isinstance(method, cst.FunctionDef) and not _is_bare(method):
                    yield method, f"{statement.name.value}.{method.name.value}"
        if isinstance(statement, cst.SimpleStatementLine) and (name := _assigned(statement)):
            yield statement, name


def _is_bare(method: cst.FunctionDef) -> bool:
    """Return whether the body of a method is `...`, as in a protocol."""
    last = method.body.body[-1]
    return isinstance(last, cst.SimpleStatementLine) and last.body[0].deep_equals(
        cst.Expr(cst.Ellipsis())
    )


def _assigned(statement: cst.SimpleStatementLine) -> str | None:
    """Return the name of the constant that the statement sets, or None."""
    match statement.body:
        case [cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))])]:
            return name if CONSTANT.fullmatch(name) else None
        case [cst.AnnAssign(target=cst.Name(value=name))]:
            return name if CONSTANT.fullmatch(name) else None
    return None


def _place(module: cst.Module, mutation: Mutation, places: dict[cst.CSTNode, str]) -> str | None:
    if mutation.contained_by_top_level_function is not None:
        return places.get(mutation.contained_by_top_level_function)
    for statement in module.body:
        if statement in places and _holds(statement, mutation.original_node):
            return places[statement]
    return None


def _holds(tree: cst.CSTNode, node: cst.CSTNode) -> bool:
    return tree is node or any(_holds(child, node) for child in tree.children)


def _prose(tree: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the strings of `message = ...`, because tests do not check the wording of messages."""
    match tree:
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value="message"))]):
            yield from _strings(tree)
        case _:
            for child in tree.children:
                yield from _prose(child)


def _strings(tree: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(tree, cst.SimpleString | cst.FormattedStringText):
        yield tree
    for child in tree.children:
        yield from _strings(child)


def _difference(before: str, after: str) -> tuple[str, str]:
    """Return the changed lines before and after the change, joined to one line each."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    removed = " ".join(line[2:].strip() for line in lines if line.startswith("- "))
    added = " ".join(line[2:].strip() for line in lines if line.startswith("+ "))
    return removed, added


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
