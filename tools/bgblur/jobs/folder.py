"""The photos of a folder, and the names under which they are uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bgblur.blurring.paths import Naming, photos_in


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder whose photos are listed again for each use, so that the list is never in memory."""

    path: Path
    recursive: bool

    def photos(self) -> Iterator[tuple[str, Path]]:
        """Yield the name (source) and the path of each photo, sorted within each folder.

        The source is the path relative to the folder, with `/` as the separator. Results of earlier
        runs, hidden files and files without the extension of a photo are left out.

        Raises:
            OSError: a folder cannot be read.

        """
        naming = Naming()
        for path in photos_in(self.path, recursive=self.recursive):
            if not naming.is_result(path):
                yield path.relative_to(self.path).as_posix(), path


def is_text(source: str) -> bool:
    """Return whether a photo's name is valid Unicode; names in a file system can be invalid."""
    try:
        source.encode()
    except UnicodeEncodeError:
        return False
    return True
