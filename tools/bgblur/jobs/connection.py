"""Options for the API's address and key, and a message of one line for each error of the API."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from bgblur.api_options import api_key_option, require_api_key

if TYPE_CHECKING:
    from blur_client.jobs import Jobs

_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class JobId(click.ParamType[str]):
    """The id of a job, which is also a safe file name."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value if it is a valid id."""
        if not is_job_id(value):
            self.fail(f"{value!r} is not a valid job id.", param, ctx)
        return value


JOB_ID = JobId()


def is_job_id(text: str) -> bool:
    """Return whether the text is a valid id, which is also a safe file name."""
    return _JOB_ID.fullmatch(text) is not None


def connection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for the API's address and key to a command; the command gets a `Server`."""
    address = click.option(
        "--api",
        "--url",
        "api",
        metavar="URL",
        envvar="BGBLUR_API",
        show_envvar=True,
        help="The address of the API.",
    )

    @functools.wraps(command)
    def connected(*arguments: Any, api: str | None, key: str | None, **options: Any) -> None:  # noqa: ANN401 - click passes the command's options
        source = click.get_current_context().get_parameter_source("api")
        is_option = source is ParameterSource.COMMANDLINE
        command(*arguments, server=Server.checked(api, key, is_option=is_option), **options)

    return address(api_key_option(connected))


class Server:
    """The address of an API, and a key for this API."""

    def __init__(self, url: str, key: str, options: tuple[str, ...] = ()) -> None:
        """Store the address and the key; nothing is sent yet."""
        self.url = url
        self._key = key
        self.options = options
        """The options that the next command must repeat to reach the same API."""

    @classmethod
    def checked(cls, url: str | None, key: str | None, *, is_option: bool) -> Server:
        """Return a `Server`, if the address and the key are set.

        `is_option` is true if the address was given with `--api`, not with `BGBLUR_API`.

        Raises:
            click.UsageError: the address or the key is missing.

        """
        if not url:
            message = "Jobs require an API. Set BGBLUR_API, or use --api."
            raise click.UsageError(message)
        return cls(url, require_api_key(key), ("--api", url) if is_option else ())

    @contextmanager
    def jobs(self, stop: threading.Event | None = None) -> Iterator[Jobs]:
        """Open a client of the API and yield its `jobs`.

        If `stop` is set while the client waits for a retry, the wait raises KeyboardInterrupt.

        Raises:
            click.ClickException: the address or the key is not valid, or the API responded with an
            error or not at all.

        """
        from blur_client import (  # noqa: PLC0415 - requests is slow to import
            ApiError,
            BlurClientError,
            Client,
            ConnectionFailedError,
        )

        def pause(wait_s: float) -> None:
            if (stop or threading.Event()).wait(wait_s):
                raise KeyboardInterrupt

        try:
            client = Client(self.url, self._key, sleep=pause)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        try:
            with client:
                yield client.jobs
        except ApiError as error:
            trace = f", request {error.request_id}" if error.request_id else ""
            message = f"{error.message} [{error.code}{trace}]"
            raise click.ClickException(message) from error
        except BlurClientError as error:
            place = f" ({self.url})" if isinstance(error, ConnectionFailedError) else ""
            message = f"{error}{place}"
            raise click.ClickException(message) from error
