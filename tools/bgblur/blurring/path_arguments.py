"""The types of arguments that are paths or parts of file names."""

from __future__ import annotations

import click


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
        """Return the text unchanged; fail if it has a slash, a backslash or a line break."""
        if "/" in value or "\\" in value:
            self.fail("The suffix cannot contain a slash or a backslash.", param, ctx)
        if not value.isprintable():
            self.fail("The suffix cannot contain a line break or a tab.", param, ctx)
        return value
