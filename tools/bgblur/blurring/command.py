"""The command: reads what is wanted, has it done, says what came of it."""

from __future__ import annotations

import json
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from bgblur.blurring import engines, output, report
from bgblur.blurring.crew import NOT_BEGUN, Crew, Job, Outcome
from bgblur.blurring.engines import Failure, Made
from bgblur.blurring.options import EXTENSIONS, blur_options, format_for
from bgblur.blurring.paths import Task, plan
from bgblur.blurring.photo_file import read_bounded
from bgblur.blurring.progress import Display
from bgblur.console import json_option

if TYPE_CHECKING:
    from types import FrameType

    from bgblur.blurring.engines import Engine

SOME_FAILED = 1
INTERRUPTED = 130
"""What a shell says of a command that SIGINT ended: 128 + 2."""
JOBS_HERE, JOBS_THERE = 1, 4
"""Here one photo already keeps every CPU busy; an API has more than one."""


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@blur_options
@click.option("-o", "--output", "output_path", metavar="OUT", help="A file, a folder, or -.")
@click.option("-R", "--recursive", is_flag=True, help="Also search folders inside folders.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option(
    "--api", metavar="URL", envvar="BGBLUR_API", show_envvar=True, help="Let this API do it."
)
@click.option("--key", envvar="BGBLUR_API_KEY", show_envvar=True, help="The key for it.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Photos at once.  [default: 1 here, 4 with --api]"
)
@json_option
@click.pass_context
def blur(  # noqa: PLR0913 - one for each option
    context: click.Context,
    /,
    paths: tuple[str, ...],
    *,
    output_path: str | None,
    api: str | None,
    key: str | None,
    jobs: int | None,
    recursive: bool,
    force: bool,
    as_json: bool,
    **wishes: Any,  # noqa: ANN401 - the values of the options' table
) -> None:
    """Blur the background of photos: files, folders, or - for standard input.

    On this machine, without a server or a key; or by an API, with --api and --key. A result
    goes beside its photo, as photo-blurred.png, or to OUT: a file for one photo, else a
    folder. A file that is there already is not replaced, unless with --force.

    Ends with exit code 0 if all was done, 1 if a photo failed, 2 if the command is wrong.
    """
    wishes["format"] = format_for(wishes["format"], output_path)
    tasks = plan(paths, output_path, EXTENSIONS[wishes["format"]], deep=recursive)
    _check_streams(tasks, as_json=as_json)
    stop = threading.Event()
    engine = _engine(wishes, api, key, stop)
    crew = Crew(engine, jobs or (JOBS_THERE if api else JOBS_HERE), stop, force=force)
    try:
        with _interrupts(stop):
            outcomes = _carry_out(crew, tasks, stop, force=force)
    except KeyboardInterrupt:
        context.exit(INTERRUPTED)
    if as_json:
        click.echo(json.dumps(report.document(outcomes)))
    if stop.is_set():
        context.exit(INTERRUPTED)
    context.exit(SOME_FAILED if any(isinstance(o.result, Failure) for o in outcomes) else 0)


def _engine(wishes: Any, api: str | None, key: str | None, stop: threading.Event) -> Engine:  # noqa: ANN401
    if not api:
        return engines.local(wishes)
    if not key:
        message = "an API wants a key: --key, or BGBLUR_API_KEY in the environment"
        raise click.UsageError(message)
    return engines.remote(wishes, api, key, stop)


def _check_streams(tasks: Sequence[Task], *, as_json: bool) -> None:
    to_standard = any(task.target is None for task in tasks)
    if to_standard and as_json:
        message = "--json and the photo cannot both go to standard output; use -o"
        raise click.UsageError(message)
    if to_standard and sys.stdout.isatty():
        message = "a terminal shows no photo: use -o, or a pipe"
        raise click.UsageError(message)


def _carry_out(
    crew: Crew, tasks: Sequence[Task], stop: threading.Event, *, force: bool
) -> list[Outcome]:
    began = time.monotonic()
    display = Display(sys.stderr, len(tasks))
    outcomes: list[Outcome] = []
    try:
        for came in crew.outcomes([_job(task) for task in tasks]):
            if came is not None:
                outcomes.append(_written(came, force=force))
                _tell(outcomes[-1], display)
            display.draw(crew.running, len(outcomes), ending=stop.is_set())
    finally:
        display.clear()
    if len(tasks) > 1:
        display.say(report.summary(outcomes, time.monotonic() - began))
    place = {task: number for number, task in enumerate(tasks)}
    return sorted(outcomes, key=lambda outcome: place[outcome.task])


def _tell(outcome: Outcome, display: Display) -> None:
    failed = isinstance(outcome.result, Failure)
    if outcome.result is not NOT_BEGUN and (failed or display.is_live):
        display.say(report.line(outcome))


def _job(task: Task) -> Job:
    if task.source is not None:
        return Job(task, task.source)
    try:
        return Job(task, read_bounded(sys.stdin.buffer))
    except OSError as error:
        message = f"standard input: {error.strerror}"
        raise click.ClickException(message) from error


def _written(outcome: Outcome, *, force: bool) -> Outcome:
    task, result = outcome.task, outcome.result
    if isinstance(result, Failure):
        return outcome
    try:
        _write(task, result, force=force)
    except FileExistsError:
        failure = Failure("exists", f"{task.target} is there already; --force replaces it")
    except OSError as error:
        failure = Failure("unwritable", f"{task.target or 'standard output'}: {error.strerror}")
    else:
        return outcome
    return Outcome(task, failure, outcome.seconds)


def _write(task: Task, made: Made, *, force: bool) -> None:
    if task.target is not None:
        mode = 0o666 if task.source is None else task.source.stat().st_mode & 0o666
        output.write(task.target, made.data, force=force, mode=mode | stat.S_IWUSR)
        return
    sys.stdout.buffer.write(made.data)
    sys.stdout.buffer.flush()


@contextmanager
def _interrupts(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C begin nothing new and end what can be ended; a second one ends at once.

    What an API was paid for and is about to answer is still taken and written.
    """
    before = signal.getsignal(signal.SIGINT)

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
