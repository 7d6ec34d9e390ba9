"""Make text safe to print: file names and server messages can contain terminal commands."""

from __future__ import annotations

import functools
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from bgblur.standard_streams import file_errors, open_closed_streams


def printable(text: str) -> str:
    """Return the text with `?` for each character that is not printable."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class PrintableErrorsGroup(click.Group):
    """A group of commands that prints errors, including click's, safely and in red."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click has this signature
        """Run, and print `?` for characters that the output's encoding does not have."""
        open_closed_streams()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - click has this signature
        """Parse the group's own options."""
        with _printable_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - commands can return any value
        """Parse and run the command."""
        with _printable_errors():
            return super().invoke(ctx)


@contextmanager
def _printable_errors() -> Iterator[None]:
    try:
        with file_errors():
            yield
    except click.exceptions.NoArgsIsHelpError:  # its message is the help, with line breaks
        raise
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc] # click reads it when it shows the error
        error.show = functools.partial(_show, error.show)  # type: ignore[method-assign]
        raise


def _show(show: Callable[..., None], file: IO[Any] | None = None) -> None:
    """Print the output of click's `show`; on a terminal, the error is red."""
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import
    from rich.text import Text  # noqa: PLC0415

    shown = io.StringIO()
    show(shown)
    text = Text(shown.getvalue().rstrip("\n"))
    text.highlight_regex(re.compile(r"^Error: .*", re.MULTILINE | re.DOTALL), "red")
    Console(file=file, stderr=file is None).print(text, soft_wrap=True)
