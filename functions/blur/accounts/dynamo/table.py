"""The requests to one DynamoDB table, sent by any function that implements `Send`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blur.accounts.dynamo.amounts import read_item
from blur.accounts.dynamo.schema import PARTITION_KEY, SORT_KEY
from blur.accounts.dynamo.values import Expressions, Item, marshal_item
from blur.accounts.ports import accounts_unreachable

if TYPE_CHECKING:
    from blur.accounts.rate import LimiterClock

Send = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Sends an operation, such as `update_item`, with its arguments and returns the response.

The function raises `ConditionFailedError` and `UnavailableError`, and can send a request twice. All
requests that are sent by one such function have the same deadline.
"""


BusyUntil = dict[tuple[str, str], int]
"""When each bucket of a key becomes idle, in microseconds, as this process has last read it."""


class ConditionFailedError(Exception):
    """The condition of a write failed; nothing was written."""

    def __init__(self, items: Sequence[Item | None]) -> None:
        """Keep `items`: for each write, the item that the table contains.

        An element of `items` is None if the table does not contain the item, or if the condition of
        its write was true.
        """
        super().__init__("the condition of the write failed")
        self.items = items

    @property
    def item(self) -> Item | None:
        """Return the first element of `items`, often the only one; it can be None."""
        return self.items[0]


@dataclass(frozen=True, slots=True)
class Put:
    """A write of a transaction: put an item, if the stored item meets the condition."""

    item: Item
    expressions: Expressions

    def target(self) -> dict[str, Any]:
        """Return the item in the format of a request to DynamoDB."""
        return {"Item": marshal_item(self.item)}


@dataclass(frozen=True, slots=True)
class Update:
    """A write of a transaction: update the item with this key, if it meets the condition."""

    key: Item
    expressions: Expressions

    def target(self) -> dict[str, Any]:
        """Return the key in the format of the request."""
        return {"Key": marshal_item(self.key)}


class Delete(Update):
    """A write of a transaction: delete the item with this key, if it meets the condition."""


Write = Put | Update


class DynamoTable:
    """One table, and the deadline for the requests of one call of a store method."""

    def __init__(
        self, name: str, start: Callable[[], Send], limiter: LimiterClock, busy_until: BusyUntil
    ) -> None:
        """Set the deadline: `start` returns a function that sends requests until the deadline."""
        self.limiter = limiter
        self.busy_until = busy_until
        self._name = name
        self._start = start
        self._send = start()

    def with_new_deadline(self) -> DynamoTable:
        """Return the same table with a new deadline, for work that needs many requests."""
        return DynamoTable(self._name, self._start, self.limiter, self.busy_until)

    def update(self, key: Item, expressions: Expressions) -> Item:
        """Update one item and return all its attributes; returning them costs nothing."""
        request = self._conditional({"Key": marshal_item(key)}, expressions)
        response = self._send("update_item", {**request, "ReturnValues": "ALL_NEW"})
        return read_attributes(response["Attributes"])

    def put(self, item: Item, condition: Expressions) -> None:
        """Put an item, if the stored item meets the condition.

        The condition can require that the table has no such item.
        """
        self._send("put_item", self._conditional({"Item": marshal_item(item)}, condition))

    def delete(self, key: Item, condition: Expressions) -> None:
        """Delete an item, if it meets the condition."""
        self._send("delete_item", self._conditional({"Key": marshal_item(key)}, condition))

    def get(self, key: Item) -> Item | None:
        """Return one item with a strongly consistent read, or None if the item is missing."""
        request = {"TableName": self._name, "Key": marshal_item(key), "ConsistentRead": True}
        item = self._send("get_item", request).get("Item")
        return None if item is None else read_attributes(item)

    def put_once(self, item: Item, absent: Expressions) -> None:
        """Put an item if the condition `absent` is true. A retry of the request has no effect.

        Raises:
            ConditionFailedError: the condition is false.

        """
        self.transact(Put(item, absent))

    def transact(self, *writes: Write) -> None:
        """Make all writes or none; each write is to a different item."""
        # `client.Sender` adds a token to the transaction, so that DynamoDB recognises a retry:
        # docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        parts = [
            {type(write).__name__: self._conditional(write.target(), write.expressions)}
            for write in writes
        ]
        self._send("transact_write_items", {"TransactItems": parts})

    def get_both(self, key: Item, other: Item) -> tuple[Item | None, Item | None]:
        """Return two items, both read at the same moment."""
        parts = [
            {"Get": {"TableName": self._name, "Key": marshal_item(each)}} for each in (key, other)
        ]
        responses = self._send("transact_get_items", {"TransactItems": parts})["Responses"]
        first, second = (
            read_attributes(part["Item"]) if "Item" in part else None for part in responses
        )
        return first, second

    def query(self, condition: Expressions, page_size: int | None = None) -> Iterator[Item]:
        """Yield the items whose keys meet the condition, which must name one partition.

        Each request reads `page_size` items, or up to a megabyte without `page_size`.
        """
        limit = {"Limit": page_size} if page_size else {}
        return self._pages("query", "KeyConditionExpression", condition, limit)

    def scan(self, condition: Expressions) -> Iterator[Item]:
        """Yield all items of the table that meet the condition."""
        return self._pages("scan", "FilterExpression", condition, {})

    def _conditional(self, target: dict[str, Any], expressions: Expressions) -> dict[str, Any]:
        # Returning the old item costs nothing, and the item shows which part of a condition failed.
        return {
            "TableName": self._name,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **target,
            **expressions.arguments(),
        }

    def _pages(
        self, operation: str, role: str, condition: Expressions, limit: dict[str, int]
    ) -> Iterator[Item]:
        request = {
            "TableName": self._name,
            "ConsistentRead": True,
            **limit,
            **condition.arguments(),
        }
        request[role] = request.pop("ConditionExpression")
        while True:
            response = self._start()(operation, request)
            yield from map(read_attributes, response["Items"])
            if "LastEvaluatedKey" not in response:
                return
            request["ExclusiveStartKey"] = response["LastEvaluatedKey"]


def read_attributes(attributes: Mapping[str, Any]) -> Item:
    """Return an item from a response.

    Raises:
        UnavailableError: the item has an invalid number, or a value without a type.

    """
    try:
        return read_item(attributes)
    except (ArithmeticError, ValueError) as error:
        # With the item's key in the message, an operator can find the item and repair it.
        names = [attributes.get(name) for name in (PARTITION_KEY, SORT_KEY)]
        message = f"the item {names} has an invalid value: {error}"
        raise accounts_unreachable() from ValueError(message)
