"""The help texts on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from bgblur.cli import main


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name)


@pytest.mark.parametrize("names", list(commands(main)), ids=" ".join)
def test_help_shows_no_formatting_marks(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*names, "--help"]).output
    assert shown.startswith("Usage: ")
    assert not any(mark in shown for mark in ("\\b", "\b", "\f", "Raises:"))


@pytest.mark.parametrize("names", [(), ("blur",)])
def test_each_example_is_on_its_own_line(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*names, "--help"]).output.splitlines()
    examples = [line for line in shown if line.startswith("  bgblur ")]
    assert len(examples) == 3
    assert all("   " in line.strip() for line in examples)
