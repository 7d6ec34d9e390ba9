"""The types of arguments that are paths or parts of file names."""

from __future__ import annotations

import unicodedata

import click

CONTROL_CATEGORIES = {"Cc", "Zl", "Zp"}
"""The Unicode categories of control characters, such as a tab, and of line breaks."""


class NonEmptyPath(click.ParamType[str]):
    """A path that is not empty, because an empty path would mean the current folder."""

    name = "path"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text unchanged; fail if it is empty."""
        if not value:
            self.fail("The path is empty.", param, ctx)
        return value


class Suffix(click.ParamType[str]):
    """A text in a file name; it cannot lead to another folder on any system."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text unchanged; fail if it has a slash, a backslash or a control character."""
        if "/" in value or "\\" in value:
            self.fail("The suffix cannot contain a slash or a backslash.", param, ctx)
        if any(unicodedata.category(each) in CONTROL_CATEGORIES for each in value):
            self.fail("The suffix cannot contain a line break or a control character.", param, ctx)
        return value
