"""What is changed in the code: mutmut's operators, and ours for the languages inside strings.

mutmut (https://mutmut.readthedocs.io) changes numbers, names, operators, arguments and strings
of Python. The money is moved by SQL and by DynamoDB's expressions, which are strings to it: a
condition in them is turned around here as one in Python is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import libcst as cst
from mutmut.mutation import mutators

SQL = re.compile(r"\W*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|PRAGMA|BEGIN|COMMIT|AND)\b")
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
"""Longer ones before those that are a part of them; each place is changed once."""

_PLACE = re.compile("|".join(map(re.escape, SWAPS)))
_SET = re.compile(r"^ = ")


def turned(text: str) -> Iterator[str]:
    """Yield the text with one comparison, operation or condition in it turned around."""
    for place in _PLACE.finditer(text):
        yield text[: place.start()] + SWAPS[place[0]] + text[place.end() :]


def in_strings(node: cst.SimpleString) -> Iterator[cst.SimpleString]:
    """Mutate SQL as SQL, which may be written in either case, and other strings as strings."""
    if SQL.match(node.value):
        yield from (node.with_changes(value=text) for text in turned(node.value))
    else:
        yield from mutators.operator_string(node)


def in_expressions(node: cst.FormattedStringText) -> Iterator[cst.FormattedStringText]:
    """Mutate the text between the braces of an f-string: DynamoDB's expressions are such."""
    yield from (node.with_changes(value=text) for text in turned(node.value))


OPERATORS: list[tuple[type, Any]] = [
    *(
        (kind, operator)
        for kind, operator in mutators.mutation_operators
        if kind is not cst.BaseString
    ),
    (cst.SimpleString, in_strings),
    (cst.FormattedStringText, in_expressions),
]
