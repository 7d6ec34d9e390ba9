"""Requests to the table in the shape that this package uses, over any sender of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blur.accounts.dynamo.values import Expressions, Item, marshal_item, unmarshal_item
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from blur.accounts.rate import LimiterClock

Send = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Sends an operation, such as `update_item`, with its arguments and returns the answer.

It raises `ConditionFailedError` and `UnavailableError`, and may deliver a request twice. Its
patience is that of one call of the store, however many requests that takes.
"""


BusyUntil = dict[tuple[str, str], int]
"""When each bucket of a key will be idle, as far as this process has seen."""


class ConditionFailedError(Exception):
    """A write's condition did not hold; nothing was written."""

    def __init__(self, items: Sequence[Item | None]) -> None:
        """Keep each written item as it was, or None where its condition held or it is not there."""
        super().__init__("the condition of the write does not hold")
        self.items = items

    @property
    def item(self) -> Item | None:
        """The item of a write that has but one; None where it is not there."""
        return self.items[0]


class DynamoTable:
    """One table, for one call of the store."""

    def __init__(
        self, name: str, begin: Callable[[], Send], limiter: LimiterClock, busy_until: BusyUntil
    ) -> None:
        """Start the call's deadline."""
        self.limiter = limiter
        self.busy_until = busy_until
        self._name = name
        self._begin = begin
        self._send = begin()

    def anew(self) -> DynamoTable:
        """Return the same table with its patience renewed, for work that has many parts."""
        return DynamoTable(self._name, self._begin, self.limiter, self.busy_until)

    def update(self, key: Item, expressions: Expressions) -> Item:
        """Update one item and return the whole of it, for the price of the write."""
        request = self._conditional({"Key": marshal_item(key)}, expressions)
        answer = self._send("update_item", {**request, "ReturnValues": "ALL_NEW"})
        return _read(answer["Attributes"])

    def put(self, item: Item, condition: Expressions) -> None:
        """Put an item in the place of none, or of one that meets the condition."""
        self._send("put_item", self._conditional({"Item": marshal_item(item)}, condition))

    def delete(self, key: Item, condition: Expressions) -> None:
        """Delete an item that meets the condition."""
        self._send("delete_item", self._conditional({"Key": marshal_item(key)}, condition))

    def get(self, key: Item) -> Item | None:
        """Read one item as of now, if it is there."""
        request = {"TableName": self._name, "Key": marshal_item(key), "ConsistentRead": True}
        found = self._send("get_item", request).get("Item")
        return None if found is None else _read(found)

    def put_once(self, item: Item, absent: Expressions) -> None:
        """Put an item; a delivery repeated by the sender neither fails nor counts."""
        self._transact({"Put": self._conditional({"Item": marshal_item(item)}, absent)})

    def put_and_update(
        self, item: Item, absent: Expressions, key: Item, update: Expressions
    ) -> None:
        """Put one item and update another, both or neither."""
        self._transact(
            {"Put": self._conditional({"Item": marshal_item(item)}, absent)},
            {"Update": self._conditional({"Key": marshal_item(key)}, update)},
        )

    def query(self, condition: Expressions) -> Iterator[Item]:
        """Yield the items of a partition that meet a condition on their keys."""
        return self._pages("query", "KeyConditionExpression", condition)

    def scan(self, condition: Expressions) -> Iterator[Item]:
        """Read the whole table and yield the items that meet the condition."""
        return self._pages("scan", "FilterExpression", condition)

    def _conditional(self, what: dict[str, Any], expressions: Expressions) -> dict[str, Any]:
        # The old item costs nothing and tells which part of a condition did not hold.
        return {
            "TableName": self._name,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **what,
            **expressions.arguments(),
        }

    def _transact(self, *parts: dict[str, Any]) -> None:
        # The sender gives a transaction a token that DynamoDB knows its repetitions by:
        # docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        self._send("transact_write_items", {"TransactItems": list(parts)})

    def _pages(self, operation: str, role: str, condition: Expressions) -> Iterator[Item]:
        request = {"TableName": self._name, "ConsistentRead": True, **condition.arguments()}
        request[role] = request.pop("ConditionExpression")
        while True:
            answer = self._begin()(operation, request)
            yield from map(_read, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def unreachable() -> UnavailableError:
    """Return what a call is told whose requests find no table, or none in its right mind."""
    message = "The accounts cannot be reached at the moment. Nothing was charged."
    return UnavailableError(message, retry_after_s=1)


def _read(item: Mapping[str, Any]) -> Item:
    try:
        return unmarshal_item(item)
    except ValueError as error:  # a number that is none, or a value of no kind
        raise unreachable() from error
