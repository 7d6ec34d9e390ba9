"""The types of the commands' arguments, with the limits of each text and number."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

from blur.account_bounds import (
    MAX_ACCOUNT_ID_CHARS,
    MAX_BURST,
    MAX_CREDITS,
    MAX_ENTRY_ID_CHARS,
    MAX_NAME_CHARS,
    MAX_NOTE_CHARS,
    MAX_PER_MINUTE,
    MAX_TTL_S,
)
from blur.accounts.model import SECOND_US
from blur.accounts.operator_input import text_problem
from blur.credits import QUARTER, ZERO, Credits, format_credits, parse_credits

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ADDRESS = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):)?([0-9]{1,5})")
MAX_PORT = 65_535
_DURATION = re.compile(r"([0-9]{1,12})([smhd])")


@dataclass(frozen=True, eq=False)
class BoundedText(click.ParamType[str]):
    """A text of at most `max_chars` printable characters."""

    max_chars: int
    min_chars: int = 0
    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text unchanged.

        Raises: click.BadParameter: the text is too short, too long or not printable.

        """
        if problem := text_problem(value, self.max_chars, min_chars=self.min_chars):
            self.fail(problem, param, ctx)
        return value


@dataclass(frozen=True, eq=False)
class Duration(click.ParamType[int]):
    """A duration like `90s`, `15m`, `24h` or `30d`, in microseconds."""

    min_s: int = 0
    name = "duration"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the duration in microseconds.

        Raises: click.BadParameter: the text is not a duration, or the duration is too short or too
        long.

        """
        if isinstance(value, int):  # the value is already converted
            return value
        match = _DURATION.fullmatch(value)
        if match is None:
            self.fail("not a duration like 90s, 15m, 24h or 30d", param, ctx)
        duration_s = int(match[1]) * _UNITS_S[match[2]]
        if not self.min_s <= duration_s <= MAX_TTL_S:
            self.fail(f"must be from {self.min_s}s to {MAX_TTL_S // 86_400}d", param, ctx)
        return duration_s * SECOND_US


class Address(click.ParamType[tuple[str, int]]):
    """A port, or a host and a port such as `0.0.0.0:9090` or `[::1]:9090`."""

    name = "address"

    def convert(
        self,
        value: str | tuple[str, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, int]:
        """Return host and port.

        Raises: click.BadParameter: the text is not a port or an address with a port.

        """
        if isinstance(value, tuple):  # the value is already converted
            return value
        match = _ADDRESS.fullmatch(value)
        if match is None or int(match[2]) > MAX_PORT:
            self.fail("must be a port or HOST:PORT", param, ctx)
        return (match[1] or "127.0.0.1").strip("[]"), int(match[2])


@dataclass(frozen=True, eq=False)
class CreditsType(click.ParamType[Credits]):
    """A number of credits from `least` to `MAX_CREDITS`: a multiple of 0.25."""

    least: Credits
    name = "credits"

    def convert(
        self, value: str | Credits, param: click.Parameter | None, ctx: click.Context | None
    ) -> Credits:
        """Return the amount.

        Raises: click.BadParameter: the text is not a number of credits, or the number is out of
        bounds.

        """
        if isinstance(value, int):  # the value is already converted
            return value
        try:
            amount = parse_credits(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not self.least <= amount <= MAX_CREDITS:
            least, most = format_credits(self.least), format_credits(MAX_CREDITS)
            self.fail(f"{value} is not in the range from {least} to {most}", param, ctx)
        return amount


ADDRESS = Address()
ACCOUNT_ID = BoundedText(MAX_ACCOUNT_ID_CHARS, min_chars=1)
ACCOUNT_NAME = BoundedText(MAX_NAME_CHARS)
ENTRY_ID = BoundedText(MAX_ENTRY_ID_CHARS, min_chars=1)
KEY_NAME = BoundedText(100, min_chars=1)
"""The prefix of a key, or the whole key."""
NOTE = BoundedText(MAX_NOTE_CHARS)
REQUIRED_NOTE = BoundedText(MAX_NOTE_CHARS, min_chars=1)
INITIAL_CREDITS = CreditsType(ZERO)
TOP_UP_CREDITS = CreditsType(QUARTER)
ADJUSTMENT = CreditsType(Credits(-MAX_CREDITS))
PER_MINUTE = click.IntRange(1, MAX_PER_MINUTE)
BURST = click.IntRange(1, MAX_BURST)
