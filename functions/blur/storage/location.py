"""From a location to what is there; the one place that knows the schemes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blur.storage.folder import FolderStore

if TYPE_CHECKING:
    from blur.storage.ports import ResultStore, UploadStore


@dataclass(frozen=True, slots=True)
class Media:
    """What a location has room for; None where it has not."""

    uploads: UploadStore | None = None
    results: ResultStore | None = None


def open_storage(location: str) -> Media:
    """Open `s3:<bucket>`, `folder:<path>` or, for the empty text, nothing.

    Only the module that is needed is imported: botocore takes as long as the model.

    Raises:
        ValueError: the location has another scheme or nothing behind it.

    """
    scheme, _, name = location.partition(":")
    if not location:
        return Media()
    if name and scheme == "folder":
        return Media(uploads=FolderStore(Path(name)))
    if name and scheme == "s3":
        from blur.storage.bucket import BucketStore, open_client  # noqa: PLC0415 - see above

        bucket = BucketStore(name, open_client())
        return Media(uploads=bucket, results=bucket)
    message = f"{location!r} is neither s3:<bucket> nor folder:<path>"
    raise ValueError(message)
