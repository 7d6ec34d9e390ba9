"""Options that several commands of `bgblur jobs` share."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from bgblur.blurring.options import blur_options

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
job_options = functools.partial(
    blur_options,
    required=False,  # --radius is required only without --job
    helps={"format": "The format of all results.  [default: png]"},
)
parallel_option = click.option(
    "--parallel",
    default=4,
    show_default=True,
    type=click.IntRange(1, 32),
    help="Files to transfer at the same time.",
)
wait_option = click.option("--wait", is_flag=True, help="Wait until all photos are processed.")
