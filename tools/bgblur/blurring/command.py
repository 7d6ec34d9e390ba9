"""`bgblur blur`: reads the options, runs the batch, and reports the outcomes."""

from __future__ import annotations

import json
import stat
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bgblur.api_options import api_key_option, require_api_key
from bgblur.blurring import backends, output, report
from bgblur.blurring.backends import BlurredFile, Failure
from bgblur.blurring.batch import (
    INTERRUPTED,
    NOT_STARTED,
    BatchRunner,
    Skipped,
    TaskOutcome,
    TaskRun,
    unwritable,
)
from bgblur.blurring.options import blur_options
from bgblur.blurring.path_arguments import NonEmptyPath, Suffix
from bgblur.blurring.paths import Naming, Task, plan
from bgblur.blurring.photo_file import read_bounded
from bgblur.console import json_option
from bgblur.interrupt import EXIT_INTERRUPTED, stop_on_interrupt
from bgblur.standard_streams import write_bytes

if TYPE_CHECKING:
    from bgblur.blurring.backends import Backend
    from bgblur.blurring.progress import Display

EXIT_FAILED = 1
LOCAL_JOBS, API_JOBS = 1, 4
"""One photo already uses all CPUs of this machine; an API can process several photos at a time."""


@click.command(short_help="Blur or remove the background of photos.")
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", type=NonEmptyPath())
@blur_options
@click.option(
    "-o",
    "--output",
    "output_path",
    metavar="OUT",
    type=NonEmptyPath(),
    help="The file or folder to write to, or - for standard output.",
)
@click.option(
    "--suffix",
    metavar="TEXT",
    type=Suffix(),
    help="Add this text to the photo's name.  "
    "[default: -blurred or -cutout if the result is in the photo's folder, otherwise nothing]",
)
@click.option("-R", "--recursive", is_flag=True, help="Search subfolders too.")
@click.option(
    "--overwrite", is_flag=True, help="Replace existing results instead of skipping them."
)
# In old versions, --overwrite was called --force.
@click.option("--force", "overwrite", is_flag=True, hidden=True)
@click.option(
    "--api", metavar="URL", envvar="BGBLUR_API", show_envvar=True, help="Send photos to this API."
)
@api_key_option
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="Photos to process at the same time. [default: 1; 4 with --api]",
)
@json_option
@click.pass_context
def blur(  # noqa: PLR0913 - has one argument for each option
    context: click.Context,
    /,
    paths: tuple[str, ...],
    *,
    output_path: str | None,
    suffix: str | None,
    api: str | None,
    key: str | None,
    jobs: int | None,
    recursive: bool,
    overwrite: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - click passes the options in `options.OPTIONS`
) -> None:
    """Blur or remove the background of photos: files, folders, or - for standard input.

    \b
    bgblur blur photo.jpg -r 12                     writes photo-blurred.jpg
    bgblur blur photo.jpg -r 0 --mode cutout        writes photo-cutout.png
    bgblur blur album -R -r 12 -o blurred           a folder and its subfolders

    Without --api, this command runs on this machine and needs no server or key. A result is saved
    next to its photo, or in OUT: a file for one photo, otherwise a folder. Existing results are
    skipped, so you can repeat an interrupted batch.

    The exit code is 0 if no photo failed, 1 if a photo failed, and 2 if the command is wrong.
    """  # noqa: D301 - click keeps the lines after \b unchanged
    naming = Naming(mode=options["mode"], format=options["format"], suffix=suffix)
    tasks = plan(paths, output_path, naming, recursive=recursive)
    _check_streams(tasks, as_json=as_json)
    stop = threading.Event()
    backend = _backend(options, api, key, stop)
    threads = jobs or (API_JOBS if api else LOCAL_JOBS)
    runner = BatchRunner(backend, threads, stop, overwrite=overwrite)
    try:
        with stop_on_interrupt(stop):
            outcomes = _run(runner, tasks, stop, overwrite=overwrite)
    except KeyboardInterrupt:
        context.exit(EXIT_INTERRUPTED)
    if as_json:
        click.echo(json.dumps(report.document(outcomes)))
    if stop.is_set():
        context.exit(EXIT_INTERRUPTED)
    context.exit(EXIT_FAILED if any(isinstance(o.result, Failure) for o in outcomes) else 0)


def _backend(options: Any, api: str | None, key: str | None, stop: threading.Event) -> Backend:  # noqa: ANN401
    if not api:
        return backends.local_backend(options)
    return backends.api_backend(options, api, require_api_key(key), stop)


def _check_streams(tasks: Sequence[Task], *, as_json: bool) -> None:
    to_standard = any(task.target is None for task in tasks)
    if to_standard and as_json:
        message = "--json and the photo cannot both go to standard output. Use -o."
        raise click.UsageError(message)
    if to_standard and sys.stdout.isatty():
        message = "A photo cannot be shown on a terminal. Use -o or a pipe."
        raise click.UsageError(message)


def _run(
    runner: BatchRunner, tasks: Sequence[Task], stop: threading.Event, *, overwrite: bool
) -> list[TaskOutcome]:
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import

    from bgblur.blurring.progress import Display  # noqa: PLC0415 - imports rich

    began = time.monotonic()
    outcomes: list[TaskOutcome] = []
    with Display(Console(stderr=True), len(tasks)) as display:
        for finished in runner.outcomes([_create_run(task) for task in tasks]):
            if finished is not None:
                outcomes.append(_write_result(finished, overwrite=overwrite))
                _print_outcome(outcomes[-1], display, is_only_one=len(tasks) == 1)
            results = [each.result for each in outcomes if each.result is not NOT_STARTED]
            skipped = sum(isinstance(result, Skipped) for result in results)
            display.update(runner.running, len(results), skipped=skipped, stopping=stop.is_set())
    if len(tasks) > 1:
        display.print(report.summary(outcomes, time.monotonic() - began), style="bold")
    place = {task: number for number, task in enumerate(tasks)}
    return sorted(outcomes, key=lambda outcome: place[outcome.task])


def _print_outcome(outcome: TaskOutcome, display: Display, *, is_only_one: bool) -> None:
    """Always print failures, but print skipped photos and results only on a terminal.

    If the command has only one photo and skips it, always print that it was skipped.
    """
    if outcome.result is NOT_STARTED:
        return
    text = report.line(outcome)
    if outcome.result is INTERRUPTED:
        display.print(text, style="dim")
    elif isinstance(outcome.result, Failure):
        display.print(f"Error: {text}", style="red")
    elif isinstance(outcome.result, Skipped):
        if is_only_one or display.is_live:
            display.print(text, style="dim")
    elif display.is_live:
        display.print(text)


def _create_run(task: Task) -> TaskRun:
    if task.source is not None:
        return TaskRun(task, task.source)
    try:
        return TaskRun(task, read_bounded(sys.stdin.buffer))
    except OSError as error:
        message = f"standard input: {error.strerror}"
        raise click.ClickException(message) from error


def _write_result(outcome: TaskOutcome, *, overwrite: bool) -> TaskOutcome:
    """Write the result; return the outcome, which is a failure if writing fails."""
    task, result = outcome.task, outcome.result
    if not isinstance(result, BlurredFile):
        return outcome
    try:
        _write_data(task, result, overwrite=overwrite)
    except FileExistsError:
        return TaskOutcome(task, Skipped(), outcome.seconds)  # another program has written the file
    except OSError as error:
        return TaskOutcome(task, unwritable(task, error, result.call), outcome.seconds)
    return outcome


def _write_data(task: Task, result: BlurredFile, *, overwrite: bool) -> None:
    if task.target is not None:
        mode = 0o666 if task.source is None else task.source.stat().st_mode & 0o666
        output.write(task.target, result.data, overwrite=overwrite, mode=mode | stat.S_IWUSR)
        return
    write_bytes(result.data)
