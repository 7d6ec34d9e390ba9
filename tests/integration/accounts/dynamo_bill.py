"""The operations of a DynamoDB client, their capacity units, and the sizes of items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from blur.account_status import RateLimit
from blur.accounts.dynamo import schema
from blur.accounts.dynamo.client import open_client
from blur.settings import Settings

if TYPE_CHECKING:
    from tests.integration.accounts.customer import Customer

DEFAULT_LIMIT = RateLimit(Settings().rate_per_minute, Settings().rate_burst)
KILOBYTE = 1024


@dataclass
class Bill:
    """The operations that a client has sent, and the capacity units in the responses."""

    operations: list[str] = field(default_factory=list)
    units: float = 0

    def ask(self, params: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def note(self, model: Any, parsed: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - boto has no types
        self.operations.append(model.name)
        if consumed := parsed.get("ConsumedCapacity"):
            parts = consumed if isinstance(consumed, list) else [consumed]
            self.units += sum(part["CapacityUnits"] for part in parts)

    def clear(self) -> None:
        self.operations.clear()
        self.units = 0


def stored(table_name: str, customer: Customer) -> dict[str, Any]:
    """Return the account's item, read with a separate client, so that no `Bill` counts the read."""
    client: Any = open_client()
    key = {name: {"S": part} for name, part in schema.account_key(customer.account_id).items()}
    item: dict[str, Any] = client.get_item(TableName=table_name, Key=key)["Item"]
    client.close()
    return item


def size(item: dict[str, Any]) -> int:
    """Return an item's size in bytes, by DynamoDB's rules.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    kind: str
    content: Any
    ((kind, content),) = value.items()
    match kind:
        case "N":
            digits = str(content).replace(".", "").strip("-0")
            return (len(digits) + 1) // 2 + 1 + str(content).startswith("-")
        case "M":
            return 3 + len(content) + size(content)
        case "BS":
            return sum(len(element) for element in content)
        case "BOOL":
            return 1
    return len(str(content).encode())
