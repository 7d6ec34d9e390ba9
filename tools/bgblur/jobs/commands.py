"""The commands of `bgblur jobs`."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bgblur.blurring.path_arguments import NonEmptyPath
from bgblur.console import json_option
from bgblur.interrupt import interruptible
from bgblur.jobs.connection import JOB_ID, Server, connection_options
from bgblur.jobs.fetched_files import FetchedFiles
from bgblur.jobs.folder import Folder
from bgblur.jobs.options import FOLDER, job_options, parallel_option, wait_option
from bgblur.jobs.progress import JobDisplay
from bgblur.jobs.report import (
    document,
    fetch_summary,
    how_to_continue,
    how_to_follow,
    reason_to_wait,
    record,
    submit_summary,
)
from bgblur.jobs.submit import Submission, create_job, follow_job, require_same_parameters
from bgblur.jobs.submitted import SubmittedJob, remember, submitted
from bgblur.printable import printable
from bgblur.tables import show, show_table

if TYPE_CHECKING:
    from blur_client import Job

EXIT_FAILED = 1
SHOWN_FAILURES = 20


@click.group()
def jobs() -> None:
    """Send folders of photos to an API, which processes them in the background.

    \b
    bgblur jobs submit album -r 2%            uploads the photos, prints the job's id
    bgblur jobs status ID --wait              shows the progress
    bgblur jobs fetch ID -o blurred           saves the results and a manifest
    """  # noqa: D301 - click keeps the lines after \b unchanged


@jobs.command()
@click.argument("folder", type=FOLDER)
@job_options
@click.option("-R", "--recursive", is_flag=True, help="Search subfolders too.")
@click.option("--job", "job_id", type=JOB_ID, help="Continue the upload for this job.")
@click.option("--notify", metavar="URL", help="Send a notification to this URL when the job ends.")
@wait_option
@parallel_option
@json_option
@connection_options
@click.pass_context
def submit(  # noqa: PLR0913 - has one argument for each option
    context: click.Context,
    /,
    *,
    server: Server,
    folder: Path,
    job_id: str | None,
    notify: str | None,
    parallel: int,
    recursive: bool,
    wait: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - click passes the options in `blurring.options.OPTIONS`
) -> None:
    """Upload the photos of a folder, with the same options as `bgblur blur`.

    Prints the id of the job. --format sets the format of all results; the default is png. If the
    upload is interrupted, repeat the command with --job and the id. Every photo is charged once.

    The exit code is 0 if no photo failed, 1 if a photo failed, and 2 if the command is wrong.
    """
    from blur_client.errors import JobClosedError  # noqa: PLC0415 - requests is slow to import

    photos = Folder(folder, recursive)
    stop = threading.Event()
    with interruptible(context, stop), server.jobs(stop) as client, JobDisplay() as display:
        _check(photos, options, job_id)
        secret: dict[str, str] = {}
        if job_id is None:
            created = create_job(client, options, notify)
            job_id = created.job_id
            remember(SubmittedJob(job_id, created.created_at, str(folder.absolute()), server.url))
            display.print(f"Job {job_id} was created.")
            if created.notify_secret:
                secret = {"notify_secret": created.notify_secret}
                display.print(f"Secret for the notification, shown once: {created.notify_secret}")
        else:
            require_same_parameters(client.status(job_id), context)
        submission = Submission(client, photos, job_id, display, stop)
        try:
            job = submission.run(parallel)
        except JobClosedError:
            submission.is_open = False
            display.print(how_to_follow(job_id, server))
            raise
        finally:
            if submission.is_open:
                hint = how_to_continue(photos, job_id, server)
                display.print(f"Job {job_id} is still open. {hint}")
        if wait:
            job = follow_job(client, job, display, stop)
    if as_json:
        click.echo(json.dumps({**document(job), **submission.counts(), **secret}))
    else:
        click.echo(submit_summary(submission, job, server), err=True)
        click.echo(job_id)
    context.exit(EXIT_FAILED if submission.failures or job.failed else 0)


def _check(photos: Folder, options: Mapping[str, Any], job_id: str | None) -> None:
    """Check, before a job is created, that there is a photo and that a new job has a radius.

    Raises:
        click.UsageError: there is no photo, or a new job has no radius.

    """
    if next(photos.photos(), None) is None:
        hint = "" if photos.recursive else " Use -R to search its subfolders, too."
        message = f"There is no photo in {photos.path}.{hint}"
        raise click.UsageError(message)
    if job_id is None and options["radius"] is None:
        message = "Missing option '-r' / '--radius'. A new job requires it."
        raise click.UsageError(message)


@jobs.command(name="list")
@json_option
def list_submitted(*, as_json: bool) -> None:
    """List the jobs that were submitted from this machine, the newest first."""
    show_table([job._asdict() for job in submitted()], as_json=as_json)


@jobs.command()
@click.argument("job_id", metavar="ID", type=JOB_ID)
@wait_option
@json_option
@connection_options
@click.pass_context
def status(
    context: click.Context, /, server: Server, job_id: str, *, wait: bool, as_json: bool
) -> None:
    """Show the state, the counts and the failures of a job."""
    stop = threading.Event()
    with interruptible(context, stop), server.jobs(stop) as client:
        job = client.status(job_id)
        if wait:
            with JobDisplay() as display:
                job = follow_job(client, job, display, stop)
        failures = client.failures(job_id) if job.failed else iter(())
        shown = list(failures if as_json else islice(failures, SHOWN_FAILURES))
    if as_json:
        click.echo(json.dumps({**document(job), "failures": [asdict(each) for each in shown]}))
        return
    _show(job)
    for each in shown:
        click.echo(printable(f"{each.source}: {each.message} [{each.code}]"))
    if job.failed > len(shown):
        click.echo(f"and {job.failed - len(shown)} more; --json prints all")


@jobs.command()
@click.argument("job_id", metavar="ID", type=JOB_ID)
@click.option("-o", "--output", "folder", required=True, metavar="FOLDER", type=NonEmptyPath())
@click.option("--overwrite", is_flag=True, help="Replace files that are not results of this job.")
@wait_option
@parallel_option
@json_option
@connection_options
@click.pass_context
def fetch(  # noqa: PLR0913 - has one argument for each option
    context: click.Context,
    /,
    *,
    server: Server,
    job_id: str,
    folder: str,
    parallel: int,
    overwrite: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Save the results of a job in a folder, and its manifest as manifest.jsonl.

    Results that were saved by an earlier run are checked and skipped. If the job has not ended, the
    results that exist now are saved.

    The exit code is 0 if no photo failed, 1 if a photo failed, and 2 if the command is wrong.
    """
    from bgblur.jobs.fetch import Fetch  # noqa: PLC0415 - requests is slow to import

    stop = threading.Event()
    files = FetchedFiles(Path(folder), job_id, overwrite=overwrite)
    with interruptible(context, stop), server.jobs(stop) as client, JobDisplay() as display:
        job = client.status(job_id)
        if wait:
            job = follow_job(client, job, display, stop)
        with files:
            fetched = Fetch(client, job, files, display, stop)
            fetched.run(parallel)
    if as_json:
        click.echo(json.dumps({**document(job), **fetched.counts()}))
    else:
        click.echo(fetch_summary(fetched, job), err=True)
    context.exit(EXIT_FAILED if fetched.failures or job.failed else 0)


@jobs.command()
@click.argument("job_id", metavar="ID", type=JOB_ID)
@json_option
@connection_options
def close(server: Server, job_id: str, *, as_json: bool) -> None:
    """Close a job whose upload was interrupted; after that, no photo can be added."""
    with server.jobs() as client:
        job = client.close(job_id)
    _show(job, as_json=as_json)


@jobs.command()
@click.argument("job_id", metavar="ID", type=JOB_ID)
@json_option
@connection_options
def cancel(server: Server, job_id: str, *, as_json: bool) -> None:
    """Cancel the photos of a job that have not started.

    Photos that have started are finished and charged.
    """
    with server.jobs() as client:
        job = client.cancel(job_id)
    _show(job, as_json=as_json)


def _show(job: Job, *, as_json: bool = False) -> None:
    show(document(job) if as_json else record(job), as_json=as_json)
    if not as_json and (note := reason_to_wait(job)):
        click.echo(note)
