"""Amounts of credits: quarters in the code, decimals for people and clients."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.credits import QUARTERS, Credits, credits_number, format_credits, parse_credits, whole

ROOT = Path(__file__).parents[2]
NOT_CREDITS = {"response.py", "response_record.py"}
"""Modules that multiply or divide by 4 for other reasons: base64 has 4 characters for 3 bytes."""
AMOUNTS = st.integers(-(4 * 10**12), 4 * 10**12).map(Credits)


@pytest.mark.parametrize(
    ("text", "quarters", "shown"),
    [
        ("0", 0, "0"),
        ("0.25", 1, "0.25"),
        ("0.5", 2, "0.5"),
        ("0.75", 3, "0.75"),
        ("1", 4, "1"),
        ("+3", 12, "3"),
        ("1.50", 6, "1.5"),
        ("2.000", 8, "2"),
        ("007", 28, "7"),
        ("-0.25", -1, "-0.25"),
        ("-3.75", -15, "-3.75"),
        ("-0", 0, "0"),
        ("1000000000000.75", 4 * 10**12 + 3, "1000000000000.75"),
    ],
)
def test_credits_are_parsed_to_quarters_and_formatted_without_trailing_zeros(
    text: str, quarters: int, shown: str
) -> None:
    assert parse_credits(text) == quarters
    assert format_credits(Credits(quarters)) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1\n", ".5", "1.", "1,5", "1e3", "one", "--1", "nan", "٣"),
        *("0.1", "0.3", "0.255", "1" * 101, "0." + "0" * 101),
    ],
)
def test_text_that_is_not_a_valid_amount_is_rejected_and_quoted_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of credits") as caught:
        parse_credits(text)
    assert repr(text) in str(caught.value)


@given(AMOUNTS)
def test_the_text_of_an_amount_is_exact_and_can_be_read_again(amount: Credits) -> None:
    text = format_credits(amount)
    assert Decimal(text) == Decimal(amount) / QUARTERS
    assert parse_credits(text) == amount
    assert ("." in text) == (amount % QUARTERS != 0)


@given(AMOUNTS)
def test_an_amount_has_the_same_digits_in_json_and_as_text(amount: Credits) -> None:
    number = credits_number(amount)
    assert json.dumps(number) == format_credits(amount)
    assert isinstance(number, int) == (amount % QUARTERS == 0)


@given(st.integers(-(10**12), 10**12))
def test_whole_credits_are_shown_as_integers(number: int) -> None:
    assert format_credits(whole(number)) == str(number)
    assert credits_number(whole(number)) == number


def test_only_the_module_credits_and_a_migration_convert_between_credits_and_quarters() -> None:
    """The SQL of the SQLite migration in `schema.py` also converts credits, and must not change."""
    blur, bgblur = ROOT / "functions" / "blur", ROOT / "tools" / "bgblur"
    folders = (blur / "accounts", blur / "api", bgblur)
    paths = [*blur.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))]
    converts = re.compile(r"\bQUARTERS\b|[*/] ?4\b|\b4 ?\*|0\.25\b *\*|\* *0\.25\b")
    converting = {path.name for path in paths if converts.search(path.read_text("utf-8"))}
    assert converting - NOT_CREDITS == {"credits.py", "schema.py"}
