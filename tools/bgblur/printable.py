"""Make text safe to print: file names and server messages can contain terminal commands."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click
from rich.console import Console
from rich.text import Text


def printable(text: str) -> str:
    """Return the text with `?` for each character that is not printable."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class PrintableErrorsGroup(click.Group):
    """A group of commands that prints errors, including click's, safely and in red."""

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
        error.show = functools.partial(_show, error.show)  # type: ignore[method-assign]
        raise


def _show(show: Callable[..., None], file: IO[Any] | None = None) -> None:
    """Print the output of click's `show`; on a terminal, the error is red."""
    shown = io.StringIO()
    show(shown)
    text = Text(shown.getvalue().rstrip("\n"))
    text.highlight_regex(re.compile(r"^Error: .*", re.MULTILINE | re.DOTALL), "red")
    Console(file=file, stderr=file is None).print(text, soft_wrap=True)
