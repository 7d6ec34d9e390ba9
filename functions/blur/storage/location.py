"""Opens the storage that `BLUR_MEDIA` names: `s3:<bucket>` or `folder:<path>`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blur.storage.job_bucket import JobBucket
    from blur.storage.job_folder import JobFolder
    from blur.storage.ports import ResultStore, UploadStore


@dataclass(frozen=True, slots=True)
class Storage:
    """The parts of the storage; None for a part that the location does not have."""

    uploads: UploadStore | None = None
    results: ResultStore | None = None
    jobs: JobBucket | JobFolder | None = None


def open_storage(location: str) -> Storage:
    """Open `s3:<bucket>` or `folder:<path>`; an empty location gives an empty `Storage`.

    Only the module in use is imported, because each import makes a cold start longer.

    Raises:
        ValueError: the location has an unknown scheme, or it has no bucket or path.

    """
    scheme, _, name = location.partition(":")
    if not location:
        return Storage()
    if name and scheme == "folder":
        from blur.storage.folder import FolderStore  # noqa: PLC0415 - only the module in use is imported
        from blur.storage.job_folder import JobFolder  # noqa: PLC0415 - only the module in use is imported

        return Storage(uploads=FolderStore(Path(name)), jobs=JobFolder(Path(name)))
    if name and scheme == "s3":
        from blur.storage.bucket import BucketStore, open_client  # noqa: PLC0415 - only the module in use is imported
        from blur.storage.job_bucket import JobBucket  # noqa: PLC0415 - only the module in use is imported

        client = open_client()
        bucket = BucketStore(name, client)
        return Storage(uploads=bucket, results=bucket, jobs=JobBucket(name, client))
    message = f"{location!r} is neither s3:<bucket> nor folder:<path>"
    raise ValueError(message)
