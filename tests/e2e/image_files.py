"""The files of a container image, listed once for all tests."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import PurePosixPath
from typing import NamedTuple

from tests.e2e import machine

FORM = r"%p\t%y\t%m\t%U\t%G\0"
"""The format of `find -printf`: path, type, octal mode, ids of the owner and of the group."""


class ImageFile(NamedTuple):
    """A file, folder or link in an image."""

    path: PurePosixPath
    kind: str
    """`f` for a file, `d` for a folder, `l` for a link."""
    mode: int
    user: int
    group: int


@cache
def files_in(image: str) -> frozenset[ImageFile]:
    """Return all files of an image. A container without a network lists them."""
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "find", image]
    printed = subprocess.check_output([*command, "/", "-xdev", "-printf", FORM], text=True)
    lines = (line.split("\t") for line in printed.split("\0") if line)
    return frozenset(
        ImageFile(PurePosixPath(path), kind, int(mode, 8), int(user), int(group))
        for path, kind, mode, user, group in lines
    )


def added_to_base() -> set[ImageFile]:
    """Return the files of the function's image whose paths the base image does not contain."""
    base = {each.path for each in files_in(machine.BASE_IMAGE)}
    return {each for each in files_in(machine.IMAGE) if each.path not in base}
