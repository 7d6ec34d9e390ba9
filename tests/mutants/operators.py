"""The kinds of changes: mutmut's operators, and ours for SQL and DynamoDB's expressions.

mutmut (https://mutmut.readthedocs.io) changes numbers, names, operators, arguments and strings in
Python code. Credits are moved by SQL statements and DynamoDB expressions, which are only strings
for mutmut. This module also changes the conditions and operators inside these strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import libcst as cst
from mutmut.mutation import mutators

SQL = re.compile(
    r"\W*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP|INTEGER|PRAGMA|BEGIN|COMMIT|AND)\b"
)
SWAPS = {
    " >= ": " > ",
    " > ": " >= ",
    " <= ": " < ",
    " < ": " <= ",
    " = ": " <> ",
    " + ": " - ",
    " - ": " + ",
    " AND ": " OR ",
    " OR ": " AND ",
    " 0": " 1",
    " 1": " 0",
    "MIN(": "MAX(",
    "NOT contains": "contains",
    "attribute_exists": "attribute_not_exists",
    "attribute_not_exists": "attribute_exists",
}
"""The replacement of each operator.

An operator comes before each shorter operator that is a part of its text.
"""

_PLACE = re.compile("|".join(map(re.escape, SWAPS)))


def swapped(text: str) -> Iterator[str]:
    """Yield the text with one comparison, operation or condition swapped."""
    for place in _PLACE.finditer(text):
        yield text[: place.start()] + SWAPS[place[0]] + text[place.end() :]


def in_strings(node: cst.SimpleString) -> Iterator[cst.SimpleString]:
    """Yield the mutants of a string: SQL with another operator, other strings as in mutmut."""
    if SQL.match(node.value):
        yield from (node.with_changes(value=text) for text in swapped(node.value))
    else:
        yield from mutators.operator_string(node)


def in_expressions(node: cst.FormattedStringText) -> Iterator[cst.FormattedStringText]:
    """Yield the text of an f-string, such as a DynamoDB expression, with one swapped operator."""
    yield from (node.with_changes(value=text) for text in swapped(node.value))


OPERATORS: list[tuple[type, Any]] = [
    *(
        (kind, operator)
        for kind, operator in mutators.mutation_operators
        if kind is not cst.BaseString
    ),
    (cst.SimpleString, in_strings),
    (cst.FormattedStringText, in_expressions),
]
