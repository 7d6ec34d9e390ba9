"""Which photos are meant, and where each result goes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

STANDARD = "-"
"""Names standard input or standard output."""
SUFFIX = "-blurred"
"""What a result beside its photo is called more than the photo."""
PHOTO_EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"),
    *(".tif", ".tiff", ".heic", ".heif", ".avif"),
)
"""What is taken out of a folder; a file that is named itself may be called anything."""


@dataclass(frozen=True, slots=True)
class Task:
    """One photo and the file that its result goes to; None is standard input or output."""

    source: Path | None
    target: Path | None

    @property
    def name(self) -> str:
        """What to call it when talking to people."""
        return "standard input" if self.source is None else str(self.source)


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    inside: Path
    """Its folder, as seen from the folder that was searched."""


def plan(paths: Sequence[str], output: str | None, extension: str, *, deep: bool) -> list[Task]:
    """Return a task for each photo; `deep` also searches folders inside folders.

    Raises:
        click.UsageError: a path is not there, nothing is found, or two results would be one.

    """
    try:
        return _plan(paths, output, extension, deep=deep)
    except OSError as error:  # a name that is too long, or a folder that must not be read
        message = f"{error.filename}: {error.strerror}"
        raise click.UsageError(message) from error


def _plan(paths: Sequence[str], output: str | None, extension: str, *, deep: bool) -> list[Task]:
    missing = [path for path in paths if path != STANDARD and not Path(path).exists()]
    if missing:
        message = f"there is no {', '.join(missing)}"
        raise click.UsageError(message)
    if STANDARD in paths or output == STANDARD:
        return [_streamed(paths, output)]
    found = list(_search(paths, deep=deep, leave_out=output))
    if not found:
        message = f"there is no photo in {', '.join(paths)}"
        raise click.UsageError(message)
    if output is not None and _is_file(paths, output):
        tasks = [Task(found[0].path, Path(output))]
    else:
        tasks = _named(found, None if output is None else Path(output), extension)
    _check(tasks)
    return tasks


def _streamed(paths: Sequence[str], output: str | None) -> Task:
    """Plan the one photo that comes from standard input or goes to standard output."""
    if len(paths) > 1 or Path(paths[0]).is_dir():
        message = "standard input and output take one photo"
        raise click.UsageError(message)
    source = None if paths[0] == STANDARD else Path(paths[0])
    to_standard = output == STANDARD or output is None
    return Task(source, None if to_standard else Path(str(output)))


def _search(paths: Sequence[str], *, deep: bool, leave_out: str | None) -> Iterator[_Found]:
    seen: set[str] = set()
    for path in map(Path, paths):
        found = _in_folder(path, deep=deep, leave_out=leave_out) if path.is_dir() else [path]
        for photo in found:
            if _real(photo) not in seen:
                seen.add(_real(photo))
                root = path if path.is_dir() else path.parent
                yield _Found(photo, photo.relative_to(root).parent)


def _in_folder(folder: Path, *, deep: bool, leave_out: str | None) -> Iterator[Path]:
    """Yield the photos of a folder in order, without the results of an earlier run."""
    skipped = None if leave_out is None else _real(Path(leave_out))
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if deep and not name.startswith(".") and _real(Path(here, name)) != skipped
        )
        yield from (Path(here, name) for name in sorted(files) if _is_photo(Path(name)))


def _real(path: Path) -> str:
    """Return the path without links; of links in a circle, the path itself."""
    return os.path.realpath(path)  # Path.resolve raises RuntimeError for links in a circle


def _is_photo(path: Path) -> bool:
    named = path.suffix.lower() in PHOTO_EXTENSIONS and not path.name.startswith(".")
    return named and not path.stem.endswith(SUFFIX)


def _is_file(paths: Sequence[str], output: str) -> bool:
    """Tell whether the output is one file, and not a folder to put results into."""
    separators = tuple(filter(None, (os.sep, os.altsep)))
    return (
        len(paths) == 1
        and not Path(paths[0]).is_dir()
        and not output.endswith(separators)
        and not Path(output).is_dir()
    )


def _named(found: Iterable[_Found], folder: Path | None, extension: str) -> list[Task]:
    """Name each result after its photo; where two would be one, keep what tells them apart."""
    photos = list(found)
    short = [
        Task(photo.path, _target(photo, folder, photo.path.stem, extension)) for photo in photos
    ]
    taken = Counter(task.target for task in short)
    return [
        task
        if taken[task.target] == 1
        else replace(task, target=_target(photo, folder, photo.path.name, extension))
        for task, photo in zip(short, photos, strict=True)
    ]


def _target(photo: _Found, folder: Path | None, stem: str, extension: str) -> Path:
    if folder is None:
        return photo.path.with_name(f"{stem}{SUFFIX}{extension}")
    return folder / photo.inside / f"{stem}{extension}"


def _check(tasks: Sequence[Task]) -> None:
    """Refuse what would lose something: two results in one file, or one over a photo."""
    sources = {_real(task.source) for task in tasks if task.source}
    taken: dict[str, Task] = {}
    for task in tasks:
        if task.target is None:
            continue
        target = _real(task.target)
        if target in taken:
            message = f"{taken[target].name} and {task.name} would both become {task.target}"
            raise click.UsageError(message)
        if target in sources:
            message = f"{task.target} is one of the photos; give the result another name"
            raise click.UsageError(message)
        taken[target] = task
        for parent in (task.target, *task.target.parents):
            if parent != task.target and parent.is_file():
                message = f"{parent} is a file, so no folder for results"
                raise click.UsageError(message)
