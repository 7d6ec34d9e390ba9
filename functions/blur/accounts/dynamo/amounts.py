"""Amounts of credits in DynamoDB's items, as decimal numbers: `3`, `0.25`.

DynamoDB adds and compares decimals of 38 digits exactly. Earlier versions also stored numbers of
credits, always whole numbers, so their items need no migration.

All items are read with `read_item`, so all other code gets amounts in quarters of a credit.
`stored` converts amounts before they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from blur.accounts.dynamo.values import Item, unmarshal_item
from blur.credits import Credits, format_credits, parse_credits

ACCOUNT_AMOUNTS = frozenset({"balance", "granted", "used"})
CREDITS = "credits"
"""The attribute for the amount of a ledger entry. With a month at the end, such as
`credits2026-01`, it is the attribute for the credits that an account used in that month."""
HOLDS, PRICE = "holds", "c"
"""The attribute that contains the holds, and the attribute of each hold that contains its price."""


def stored(amount: Credits) -> Decimal:
    """Return the amount as a number of credits, which DynamoDB stores as a decimal."""
    return Decimal(format_credits(amount))


def stored_hold(hold: Item) -> Item:
    """Return a hold as it is stored; the price in `hold` is in quarters of a credit."""
    return {**hold, PRICE: stored(hold[PRICE])}


def read_item(attributes: Mapping[str, Any]) -> Item:
    """Return an item as Python values, with its amounts in quarters of a credit.

    Raises:
        ArithmeticError, ValueError: a number is not valid, or an amount is not a multiple of 0.25.

    """
    item = unmarshal_item(attributes)
    return {name: _read(name, value) for name, value in item.items()}


def _read(name: str, value: Any) -> Any:  # noqa: ANN401 - `Item` lists the possible types
    if name in ACCOUNT_AMOUNTS or name.startswith(CREDITS):
        return _amount(value)
    if name == HOLDS:
        return {hold_id: {**hold, PRICE: _amount(hold[PRICE])} for hold_id, hold in value.items()}
    return value


def _amount(number: int | Decimal) -> Credits:
    return parse_credits(str(number))
