"""Text that is safe to print: file names and server messages can hold terminal commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click


def printable(text: str) -> str:
    """Return the text with `?` for each control character and each one that cannot be shown."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class PrintableErrorsGroup(click.Group):
    """A group of commands whose error messages, click's own included, are safe to print."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - click's
        """Parse the group's own options."""
        with _printable_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - a command's result
        """Parse and run the command."""
        with _printable_errors():
            return super().invoke(ctx)


@contextmanager
def _printable_errors() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc] # read when it is shown
        raise
