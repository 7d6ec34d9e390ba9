"""The help texts of `bgblur` and its commands."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from bgblur.cli import main


def subcommands(group: click.Group) -> dict[str, click.Command]:
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command}


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, command in subcommands(group).items():
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name)


@pytest.mark.parametrize("names", list(commands(main)), ids=" ".join)
def test_help_shows_no_formatting_marks(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*names, "--help"]).output
    assert shown.startswith("Usage: ")
    assert not any(mark in shown for mark in ("\\b", "\b", "\f", "Raises:"))


@pytest.mark.parametrize("names", [(), ("accounts",), ("jobs",), ("keys",)], ids=" ".join)
def test_a_group_without_a_command_prints_its_help(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, names)
    assert shown.exit_code == 2
    assert shown.output == CliRunner().invoke(main, [*names, "--help"]).output


@pytest.mark.parametrize("names", [(), ("blur",)])
def test_each_example_is_on_its_own_line(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*names, "--help"]).output.splitlines()
    examples = [line for line in shown if line.startswith("  bgblur ")]
    assert len(examples) == 3
    assert all("   " in line.strip() for line in examples)


def required_options() -> list[tuple[tuple[str, ...], str]]:
    """Return a pair for each required option: the names of the command, and the option."""
    found = []
    for names in commands(main):
        command: click.Command = main
        for name in names:
            assert isinstance(command, click.Group)
            command = subcommands(command)[name]
        found += [
            (names, parameter.opts[0])
            for parameter in command.params
            if isinstance(parameter, click.Option) and parameter.required
        ]
    return found


def test_the_radius_of_a_blur_is_required() -> None:
    assert (("blur",), "-r") in required_options()


@pytest.mark.parametrize(("names", "option"), required_options(), ids=str)
def test_a_command_without_a_required_option_is_an_error(
    names: tuple[str, ...], option: str
) -> None:
    done = CliRunner().invoke(main, [*names, "anything"])
    assert done.exit_code == 2
    assert "Missing option" in done.output or "Error: " in done.output
    if names == ("blur",):
        assert f"Missing option '{option}'" in done.output
