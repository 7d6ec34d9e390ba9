"""Amounts of credits: inside the program, an amount is a whole number of quarters of a credit.

A price can be a quarter of a credit, and sums of whole numbers are exact. People and clients read
and write credits, with decimals only if the number is not whole: `0.25`, `3`. Only this module
converts amounts to numbers of credits and back: for headers, JSON, settings, commands, messages and
items of DynamoDB.
"""

from __future__ import annotations

import re
from typing import NewType

Credits = NewType("Credits", int)
"""A number of quarters of a credit; negative in a ledger entry that removes credits."""

QUARTERS = 4
"""Quarters in one credit."""

ZERO, QUARTER, ONE = Credits(0), Credits(1), Credits(QUARTERS)

NUMBER_OF_CREDITS = "a number of credits: whole, or with .25, .5 or .75"
"""The description of valid text, for error messages."""

_FRACTIONS = ("", ".25", ".5", ".75")
"""The decimals of 0, 1, 2 and 3 quarters."""
_NUMBER = re.compile(r"([+-]?)([0-9]{1,100})(?:(\.25|\.5|\.75)0{0,99}|\.0{1,99})?")


def whole(number: int) -> Credits:
    """Return a whole number of credits as an amount."""
    return Credits(number * QUARTERS)


def parse_credits(text: str) -> Credits:
    """Return the amount for a decimal number of credits, such as `3`, `0.25` or `-1.50`.

    Raises:
        ValueError: the text is not a decimal number, or not a multiple of 0.25.

    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        message = f"{text!r} is not {NUMBER_OF_CREDITS}"
        raise ValueError(message)
    quarters = whole(int(match[2])) + _FRACTIONS.index(match[3] or "")
    return Credits(-quarters if match[1] == "-" else quarters)


def format_credits(amount: Credits) -> str:
    """Return the number of credits as text, with decimals only if the number is not whole."""
    number, quarters = divmod(abs(amount), QUARTERS)
    return f"{'-' if amount < 0 else ''}{number}{_FRACTIONS[quarters]}"


def credits_number(amount: Credits) -> int | float:
    """Return the number of credits for JSON: an integer if the number is whole.

    Quarters are exact in binary, so the float is exact below 2**51 credits.
    """
    return amount / QUARTERS if amount % QUARTERS else amount // QUARTERS
