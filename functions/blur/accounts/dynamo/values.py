"""Converts Python values to DynamoDB's attribute values and back, and builds expressions.

DynamoDB keeps 38 digits of a number exactly. Only amounts of credits have decimals (`amounts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Item = Mapping[str, Any]
"""An item's attributes as Python values: numbers, str, bool, bytes, frozenset[bytes] and dict."""


def marshal(value: Any) -> dict[str, Any]:  # noqa: ANN401 - `Item` lists the possible types
    """Return a Python value as an attribute value of DynamoDB.

    Raises:
        TypeError: items of this table have no values of this type.

    """
    match value:
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case str():
            return {"S": str(value)}
        case bytes():
            return {"B": value}
        case frozenset():
            return {"BS": sorted(value)}
        case Mapping():
            return {"M": marshal_item(value)}
    message = f"{type(value).__name__} cannot be stored in an item"
    raise TypeError(message)


def marshal_item(item: Item) -> dict[str, Any]:
    """Return an item, or a map in an item, in the format of DynamoDB's requests."""
    return {name: marshal(value) for name, value in item.items()}


def unmarshal(value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - `Item` lists the possible types
    """Return an attribute value of DynamoDB as a Python value."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return Decimal(content) if "." in content else int(content)
        case "M":
            return unmarshal_item(content)
        case "BS":
            return frozenset(content)
    return content


def unmarshal_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's attributes as Python values."""
    return {name: unmarshal(value) for name, value in item.items()}


@dataclass(slots=True)
class Expressions:
    """The expressions of one request, with placeholders for all names and values.

    Conditions are joined with AND. Placeholders allow reserved words of DynamoDB as names, and dots
    and dashes in ids.
    """

    sets: list[str] = field(default_factory=list)
    adds: list[str] = field(default_factory=list)
    removes: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    _values: dict[str, Any] = field(default_factory=dict)

    def path(self, *parts: str) -> str:
        """Return the placeholders of a document path."""
        return ".".join(self._names.setdefault(part, f"#n{len(self._names)}") for part in parts)

    def value(self, value: Any) -> str:  # noqa: ANN401 - `Item` lists the possible types
        """Return a new placeholder for a value."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = marshal(value)
        return placeholder

    def arguments(self) -> dict[str, Any]:
        """Return those arguments of the request that are not empty."""
        clauses = {"SET": self.sets, "ADD": self.adds, "REMOVE": self.removes}
        update = " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts)
        arguments = {
            "UpdateExpression": update,
            "ConditionExpression": " AND ".join(self.conditions),
            "ExpressionAttributeNames": {name: part for part, name in self._names.items()},
            "ExpressionAttributeValues": self._values,
        }
        return {name: value for name, value in arguments.items() if value}
