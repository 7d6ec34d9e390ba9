"""Find the photos in the given paths, and name the file for each result."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from bgblur.blurring.options import EXTENSIONS, FORMAT_OF, chosen_format, photo_format

STDIO = "-"
"""The argument for standard input or standard output."""
SUFFIXES = {"background": "-blurred", "cutout": "-cutout"}
"""For each mode, the suffix to add to the photo's name if the result is in the same folder."""
PHOTO_EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"),
    *(".tif", ".tiff", ".heic", ".heif", ".avif"),
)
"""The extensions of photos in a folder; a file named in the command can have any extension."""


@dataclass(frozen=True, slots=True)
class Task:
    """One photo and the file for its result; None is standard input or output."""

    source: Path | None
    target: Path | None
    format: str = "png"

    @property
    def name(self) -> str:
        """The photo's name in messages."""
        return "standard input" if self.source is None else str(self.source)


@dataclass(frozen=True, slots=True)
class _FoundPhoto:
    path: Path
    subfolder: Path
    """The folder of the photo, relative to the folder that was searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The rules for the names of results."""

    mode: str | None = None
    format: str | None = None
    """The format of all results; None means that each result has the format of its photo."""
    suffix: str | None = None
    """The text added to the photo's name. If it is None, results in the photo's folder get the
    mode's suffix."""

    def format_of(self, photo: Path | None) -> str:
        """Return the format of a photo's result."""
        return self.format or photo_format(photo, self.mode)

    def name(self, photo: Path, stem: str, *, same_folder: bool) -> str:
        """Return the file name of a photo's result, made from `stem`."""
        suffix = self.suffix
        if suffix is None:
            suffix = SUFFIXES[self.mode or "background"] if same_folder else ""
        output = self.format_of(photo)
        keeps_extension = FORMAT_OF.get(photo.suffix.lower()) == output
        return f"{stem}{suffix}{photo.suffix if keeps_extension else EXTENSIONS[output]}"

    def is_result(self, photo: Path) -> bool:
        """Return whether the file has a name that an earlier run could have given to a result."""
        return photo.stem.endswith((*SUFFIXES.values(), *filter(None, [self.suffix])))


def plan(
    paths: Sequence[str], output: str | None, naming: Naming, *, recursive: bool
) -> list[Task]:
    """Return a task for each photo; `recursive` also searches subfolders.

    Raises:
        click.UsageError: a path does not exist or cannot be read, there is no photo, two results
            would have the same name, or the output does not fit the photos or the format.

    """
    try:
        return _plan(paths, output, naming, recursive=recursive)
    except OSError as error:  # a name that is too long, or a folder without permission
        message = f"{error.filename}: {error.strerror}"
        raise click.UsageError(message) from error


def _plan(
    paths: Sequence[str], output: str | None, naming: Naming, *, recursive: bool
) -> list[Task]:
    missing = [path for path in paths if path != STDIO and not Path(path).exists()]
    if missing:
        one, *others = missing
        several = f"These paths do not exist: {', '.join(missing)}."
        raise click.UsageError(several if others else f"{one} does not exist.")
    file = _output_file(paths, output)
    naming = replace(naming, format=chosen_format(naming.format, file))
    if STDIO in paths or output == STDIO:
        return [_plan_stdio(paths, output, file, naming)]
    found = list(_search(paths, naming, recursive=recursive, leave_out=output))
    if not found:
        message = f"There is no photo in {', '.join(paths)}."
        raise click.UsageError(message)
    if file is not None:
        photo = found[0].path
        tasks = [Task(photo, Path(file), naming.format_of(photo))]
    else:
        tasks = _assign_names(found, None if output is None else Path(output), naming)
    _check(tasks)
    return tasks


def _plan_stdio(paths: Sequence[str], output: str | None, file: str | None, naming: Naming) -> Task:
    """Return the task for one photo from standard input or to standard output."""
    if len(paths) > 1 or Path(paths[0]).is_dir():
        message = "With standard input or output, give only one photo."
        raise click.UsageError(message)
    if file is None and output not in {None, STDIO}:
        message = (
            "Standard input has no file name, so -o cannot be a folder. Use a file name, or -."
        )
        raise click.UsageError(message)
    source = None if paths[0] == STDIO else Path(paths[0])
    return Task(source, None if file is None else Path(file), naming.format_of(source))


def _search(
    paths: Sequence[str], naming: Naming, *, recursive: bool, leave_out: str | None
) -> Iterator[_FoundPhoto]:
    seen: set[str] = set()
    for path in map(Path, paths):
        photos: Iterable[Path] = [path]
        if path.is_dir():
            in_folder = photos_in(path, recursive=recursive, leave_out=leave_out)
            photos = (photo for photo in in_folder if not naming.is_result(photo))
        for photo in photos:
            if _real_path(photo) not in seen:
                seen.add(_real_path(photo))
                root = path if path.is_dir() else path.parent
                yield _FoundPhoto(photo, photo.relative_to(root).parent)


def photos_in(folder: Path, *, recursive: bool, leave_out: str | None = None) -> Iterator[Path]:
    """Yield the photos of a folder, sorted, except hidden photos and the subfolder `leave_out`.

    Raises:
        OSError: a folder cannot be read.

    """
    skipped = None if leave_out is None else _real_path(Path(leave_out))
    for here, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(
            name
            for name in folders
            if recursive and not name.startswith(".") and _real_path(Path(here, name)) != skipped
        )
        yield from (Path(here, name) for name in sorted(files) if _is_photo(Path(name)))


def _raise(error: OSError) -> None:
    raise error


def _real_path(path: Path) -> str:
    """Return the path without symbolic links; for circular links, the path itself."""
    return os.path.realpath(path)  # Path.resolve raises RuntimeError for circular links


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_EXTENSIONS and not path.name.startswith(".")


def _output_file(paths: Sequence[str], output: str | None) -> str | None:
    """Return the output if it is the name of a file.

    Return None if the output is a folder or standard output, or is not set.
    """
    if output is None or output == STDIO:
        return None
    is_file = (
        len(paths) == 1
        and not Path(paths[0]).is_dir()
        and os.path.split(output)[1] not in {"", os.curdir, os.pardir}
        and not Path(output).is_dir()
    )
    return output if is_file else None


def _assign_names(found: Iterable[_FoundPhoto], folder: Path | None, naming: Naming) -> list[Task]:
    """Name each result after its photo.

    If two results would have the same name, both names also get the photo's extension, such as
    `a.heic.jpg`.
    """

    def task(photo: _FoundPhoto, stem: str) -> Task:
        name = naming.name(photo.path, stem, same_folder=folder is None)
        target = photo.path.with_name(name) if folder is None else folder / photo.subfolder / name
        return Task(photo.path, target, naming.format_of(photo.path))

    photos = list(found)
    short = [task(photo, photo.path.stem) for photo in photos]
    uses = Counter(each.target for each in short)
    return [
        each if uses[each.target] == 1 else task(photo, photo.path.name)
        for each, photo in zip(short, photos, strict=True)
    ]


def _check(tasks: Sequence[Task]) -> None:
    """Reject results that would replace each other or a photo, or whose folder is a file."""
    sources = {_real_path(task.source) for task in tasks if task.source}
    tasks_by_target: dict[str, Task] = {}
    for task in tasks:
        if task.target is None:
            continue
        target = _real_path(task.target)
        if target in tasks_by_target:
            other = tasks_by_target[target]
            message = (
                f"{other.name} and {task.name} would both be written to {task.target}."
                " Write each to its own folder."
            )
            raise click.UsageError(message)
        if target in sources:
            message = f"{task.target} is one of the photos. Give the result another name."
            raise click.UsageError(message)
        tasks_by_target[target] = task
        for parent in (task.target, *task.target.parents):
            if parent != task.target and parent.is_file():
                message = f"{parent} is a file, not a folder."
                raise click.UsageError(message)
