"""The page of trials: its rows, and the scripts that they name."""

from __future__ import annotations

import re

import pytest
from tests.documents import ROOT, read
from tests.trials import Part, with_row

PAGE = """# Page

## First

| tried | how much | what happened | by |
|---|---|---|---|
| a | 1 | well | `x.py` |

## Second

| tried | how much | what happened | by |
|---|---|---|---|
"""
ROWS = re.findall(
    r"^\| (?!tried|---)(.+) \| `(\S+)` \|$", read("docs/reliability.md"), re.MULTILINE
)


def test_a_row_takes_the_place_of_the_one_before() -> None:
    page = with_row(PAGE, "First", "a", "| a | 2 | better | `x.py` |")
    assert page == PAGE.replace("| a | 1 | well |", "| a | 2 | better |")


@pytest.mark.parametrize("heading", ["First", "Second"])
def test_a_new_row_is_the_last_under_its_heading(heading: str) -> None:
    row = "| b | 3 | well | `y.py` |"
    page = with_row(PAGE, heading, "b", row)
    assert page.replace(row + "\n", "") == PAGE
    assert row in page.partition(f"## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("part", Part)
def test_the_page_has_a_table_for_every_part(part: Part) -> None:
    assert f"## {part.value}\n\n| tried |" in read("docs/reliability.md")


def test_every_row_names_a_script_that_is_there() -> None:
    assert all((ROOT / script).is_file() for _, script in ROWS)
