"""The file names of results.

The photos' names, called sources, come from the server, so they are not trusted as paths.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from bgblur.blurring.options import EXTENSIONS, FORMAT_OF

MAX_PART_BYTES = 240
"""The maximum length of the name of a file or folder. File systems allow 255 bytes, so an extension
still fits."""
_RESERVED = frozenset('\\:*?"<>|') if os.name == "nt" else frozenset()


class ResultNames:
    """Gives each photo name its own file in a folder; the same name always gets the same file."""

    def __init__(self, folder: Path, output: str, assigned: Mapping[bytes, str]) -> None:
        """Name files for results in the format `output`.

        Names that an earlier run has assigned do not change. `assigned` maps the `source_digest` of
        each photo's name to the file of its result.
        """
        self._folder = folder
        self._format = output if output in EXTENSIONS else "png"
        self._extension = EXTENSIONS[self._format]
        self._assigned = dict(assigned)
        self._files: set[str] = set()
        self._folders: set[str] = set()
        for name in assigned.values():
            self._take(name)

    def name(self, source: str) -> str:
        """Return the path of a photo's result, relative to the folder, separated by `/`.

        The path is always inside the folder: a photo's name that could lead out of the folder is
        replaced by its digest.
        """
        digest = source_digest(source)
        if digest not in self._assigned:
            names = self._candidates(source)
            name = next(filter(self._is_free, names))
            self._take(name)
            self._assigned[digest] = name
        return self._assigned[digest]

    def _take(self, name: str) -> None:
        self._files.add(_folded(name))
        self._folders.update(_folders(name))

    def _is_free(self, name: str) -> bool:
        """Return whether no file or folder has the name, and no folder on its path is a file."""
        folded = _folded(name)
        is_used = folded in self._files or folded in self._folders
        return not is_used and self._files.isdisjoint(_folders(name))

    def _candidates(self, source: str) -> Iterator[str]:
        digest = source_digest(source).hex()
        path = PurePosixPath(source)
        if is_safe(source) and self._is_inside(path):
            keeps_extension = FORMAT_OF.get(path.suffix.lower()) == self._format
            yield source if keeps_extension else str(path.with_suffix(self._extension))
            yield f"{source}{self._extension}"
        yield f"{digest}{self._extension}"
        yield from (f"{digest}-{number}{self._extension}" for number in itertools.count(2))

    def _is_inside(self, path: PurePosixPath) -> bool:
        """Return whether the path stays in the folder, even through symbolic links."""
        root = os.path.realpath(self._folder)
        parent = os.path.realpath(self._folder / path.parent)
        return os.path.commonpath([root, parent]) == root


def is_safe(source: str) -> bool:
    """Return whether a photo's name is a relative path on this system without parts like `..`."""
    return all(map(_is_safe_part, source.split("/")))


def source_digest(source: str) -> bytes:
    """Return 16 bytes that identify a photo by `source`, its name."""
    return hashlib.sha256(source.encode(errors="surrogatepass")).digest()[:16]


def _is_safe_part(part: str) -> bool:
    return (
        part not in {"", ".", ".."}
        and part.isprintable()
        and not _RESERVED & set(part)
        and "\\" not in part
        and len(part.encode(errors="surrogatepass")) <= MAX_PART_BYTES
    )


def _folders(name: str) -> Iterator[str]:
    """Yield the folders in the path of a file, the outermost first."""
    parts = _folded(name).split("/")[:-1]
    return itertools.accumulate(parts, lambda folder, part: f"{folder}/{part}")


def _folded(name: str) -> str:
    """Return a text that is equal for two names if some systems use the same file for both."""
    return unicodedata.normalize("NFC", name.casefold())
