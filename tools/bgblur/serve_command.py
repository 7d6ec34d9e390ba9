"""The command `bgblur serve`."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click

from bgblur import demo, local_settings
from bgblur.arguments import ADDRESS
from bgblur.console import ACCOUNTS_HELP, command_name, load_settings
from bgblur.opened_accounts import absolute_setting, accounts_location, open_admin
from bgblur.serving.key_link import TTL_S, KeyLinkExchange, KeyLinks
from bgblur.standard_streams import is_stream_error
from blur.account_status import RateLimit

if TYPE_CHECKING:
    from blur.settings import Settings

PLAIN_HTTP_WARNING = (
    "Warning: other machines can connect, and keys and photos are sent unencrypted (HTTP). Put a"
    " proxy with TLS in front of the server: docs/self-hosting.md has an example."
)


@click.command(epilog=ACCOUNTS_HELP)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Processes that blur photos. One process for each CPU gives the most photos per hour.",
)
@click.option(
    "--queue",
    type=click.IntRange(0),
    help="Photos that can wait. If the queue is full, a photo of the account with the most photos"
    " gets a 503. [default: 8 for each worker]",
)
@click.option(
    "--metrics",
    "metrics_at",
    metavar="[HOST:]PORT",
    type=ADDRESS,
    help="Serve Prometheus metrics at this address.  [default: off; HOST 127.0.0.1]",
)
@click.option(
    "--demo",
    "with_demo",
    is_flag=True,
    help="Create a demo key, and print a link to the page and a curl command.",
)
def serve(  # noqa: PLR0913 - has one argument for each option
    host: str,
    port: int,
    workers: int,
    queue: int | None,
    metrics_at: tuple[str, int] | None,
    *,
    with_demo: bool,
) -> None:
    """Serve the API on this machine until Ctrl-C or SIGTERM.

    Clients of remove.bg work too: set their API address to the address of this server, followed by
    /v1.0.
    """
    # Imported here, because `--help` does not need the server.
    from bgblur.serving import server  # noqa: PLC0415
    from bgblur.serving.listening import ListenError, explain  # noqa: PLC0415
    from bgblur.serving.worker_main import StartError  # noqa: PLC0415

    settings = load_settings()
    key = _demo_key(settings) if with_demo else None
    links = KeyLinks()
    try:
        server.serve(
            settings,
            host=host,
            port=port,
            capacity=server.Capacity(workers, 8 * workers if queue is None else queue),
            announce=lambda bound: _announce(host, bound, key, links),
            middleware=lambda application: KeyLinkExchange(application, links),
            metrics_at=metrics_at,
        )
    except OSError as error:
        if is_stream_error(error):
            raise
        message = (
            explain(error, *metrics_at, "--metrics") if metrics_at else explain(error, host, port)
        )
        raise click.ClickException(message) from error
    except (ListenError, StartError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _demo_key(settings: Settings) -> str:
    limit = RateLimit(settings.rate_per_minute, settings.rate_burst)
    with open_admin(creates=True) as admin:
        key_file = demo.key_file(settings.accounts, local_settings.data_folder(os.environ))
        return demo.demo_key(admin, key_file, limit=limit)


def _announce(host: str, port: int, key: str | None, links: KeyLinks) -> None:
    from bgblur.serving.listening import is_reachable_from_elsewhere, urls  # noqa: PLC0415

    url, *others = urls(host, port)
    click.echo(f"Background Blur API is listening on {url} (Ctrl-C stops it)")
    for other in others:
        click.echo(f"           and on {other}")
    if is_reachable_from_elsewhere(host):
        click.echo(PLAIN_HTTP_WARNING, err=True)
    if key:
        click.echo(f"\nOpen:      {url}/#code={links.issue(key)}")
        click.echo(f"           (has the demo key; works once, within {TTL_S // 60} minutes)")
        click.echo(f"Demo key:  {key}\nTry it:    {demo.curl_line(key, url)}\n")
    settings = load_settings()
    click.echo(removebg_line(settings.public_url.rstrip("/") or url, key))
    click.echo(f"Accounts:  {accounts_location(settings.accounts)}")
    if not key:
        click.echo(f"New key:   {_issue_command(settings.accounts)} (in another terminal)")


def _issue_command(accounts: str) -> str:
    """Return the shell command that issues a key of this server's accounts."""
    is_default = accounts == local_settings.settings({}).accounts
    setting = "" if is_default else f"BLUR_ACCOUNTS={shlex.quote(absolute_setting(accounts))} "
    return f"{setting}{shlex.quote(command_name())} keys issue --credits 500"


def removebg_line(url: str, key: str | None) -> str:
    """Return a line with the API address and the key for a client of remove.bg."""
    key_text = key or "a key of this server"
    return (
        f"remove.bg clients: set the API address to {url}/v1.0 (without version: {url})"
        f" and the key to {key_text}"
    )
