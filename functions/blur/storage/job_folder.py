"""Photos and results of jobs in a folder, for the embedded server.

    <folder>/jobs/<job id>/sources/<object id>   one line with the photo's name, then the photo
    <folder>/jobs/<job id>/results/<object id>
    <folder>/job-parts/                          files that are being written

Names of photos come from clients, so they are stored inside the files and are never part of a path.
A photo is written to the disk before its upload gets a response. A result is written to the disk
before its photo is charged. All files of a job are kept until the last of them is `KEEP_DAYS` old.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from blur.errors import (
    ImageTooLargeError,
    OverloadedError,
    UnavailableError,
    UploadNotFoundError,
)
from blur.storage.folder import SECOND_US, TOKEN_FIELD
from blur.storage.folder_files import (
    changed_us,
    disk_errors,
    entries_of,
    make_folder,
    remove_each,
    replacing,
)
from blur.storage.folder_secrets import read_secrets
from blur.storage.ports import KEEP_DAYS, LINK_TTL_S, PresignedForm
from blur.storage.upload_token import UploadToken, sign, verify

if TYPE_CHECKING:
    from blur.storage.ports import Link

JOB_UPLOAD_PATH = "/media/jobs"
"""The path of the server's route that receives the photos of jobs."""
NO_FORM = "The form is not valid or has expired. GET /v2/jobs/{job_id} returns a new one."
JOBS, PARTS, SOURCES, RESULTS = "jobs", "job-parts", "sources", "results"
UPLOADS_AT_ONCE = 32
"""The maximum number of uploads of one job at the same time."""
DAY_US = 86_400 * SECOND_US
_PREFIX = re.compile(rf"{JOBS}/([0-9A-Za-z_-]+)/")
_JOB_ID = re.compile(r"[0-9A-Za-z_-]+")
_OBJECT_ID = re.compile(r"[0-9a-f]{32}")


class JobFolder:
    """The files of jobs; implements `blur.jobs.ports.JobFiles`."""

    def __init__(self, folder: Path) -> None:
        """Store the path; nothing is read or written yet."""
        self._folder = folder
        self._receiving: Counter[str] = Counter()
        self._receiving_lock = threading.Lock()
        self._folder_lock = threading.Lock()

    def presign_sources(self, job_id: str, *, max_bytes: int, now_us: int) -> PresignedForm:
        """Sign a token for the prefix of the job; see `JobFiles.presign_sources`."""
        prefix = f"{JOBS}/{_checked(job_id, _JOB_ID)}/"
        token = UploadToken(prefix, "", max_bytes, now_us + LINK_TTL_S * SECOND_US)
        with disk_errors():
            signed = sign(token, read_secrets(self._folder))
        return PresignedForm(JOB_UPLOAD_PATH, {TOKEN_FIELD: signed}, token.expires_us, prefix)

    def verify_token(self, signed: str, *, now_us: int) -> tuple[str, UploadToken]:
        """Return the id of a job, and the upload token of the job's form.

        Raises:
            UploadNotFoundError: the token is not from the form of a job, or has expired.

        """
        try:
            with disk_errors():
                token = verify(signed, read_secrets(self._folder), now_us=now_us)
        except UploadNotFoundError as error:
            raise UploadNotFoundError(NO_FORM) from error
        match = _PREFIX.fullmatch(token.name)
        if match is None:
            raise UploadNotFoundError(NO_FORM)
        return match[1], token

    def copy_target(self, job_id: str) -> str | None:  # noqa: ARG002 - `JobBucket` uses the argument
        """Return None, because clients can send photos only with the presigned form."""
        return None

    @contextmanager
    def writing_source(
        self, job_id: str, source: str, *, leave_bytes: int = 0
    ) -> Iterator[BinaryIO]:
        """Yield a new file for a photo; store the file if the context ends without an exception.

        A later upload of the same source replaces the file. When the upload starts, at least
        `leave_bytes` of the disk must be free.

        Raises:
            OverloadedError: too many uploads of the job are in progress.
            UnavailableError: the disk has failed, or has too little space left.

        """
        path = self._sources(job_id) / _object_id(source)
        with self._one_of_few(job_id), disk_errors(), self._replacing(path) as file:
            self.require_space(leave_bytes)  # the accounts can be on the same disk
            file.write(json.dumps(source).encode() + b"\n")
            yield file

    def read_source(self, job_id: str, source: str, *, max_bytes: int) -> bytes:
        """Read a photo; see `JobFiles.read_source`."""
        path = self._sources(job_id) / _object_id(source)
        with disk_errors(), _opened(path) as file:
            file.readline()
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            message = f"The photo has more than {max_bytes} bytes."
            raise ImageTooLargeError(message)
        return data

    def list_sources(self, job_id: str) -> Iterator[str]:
        """Read the source of each photo from its file; see `JobFiles.list_sources`.

        A damaged file without a source is skipped: the object's row also has the source.
        """
        folder = self._sources(job_id)
        with disk_errors():
            paths = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in paths:
            with disk_errors(), suppress(FileNotFoundError, ValueError), path.open("rb") as file:
                source: str = json.loads(file.readline())
                yield source

    def write_result(
        self,
        job_id: str,
        object_id: str,
        data: bytes,
        *,
        content_type: str,  # noqa: ARG002 - the object's row in the store has the media type
        file_name: str,  # noqa: ARG002 - `JobBucket` uses the argument
    ) -> None:
        """Write the result to the disk; see `JobFiles.write_result`."""
        with disk_errors(), self._replacing(self._result(job_id, object_id)) as file:
            file.write(data)

    def link_result(self, job_id: str, object_id: str, *, now_us: int) -> Link | None:  # noqa: ARG002 - `JobBucket` uses the arguments
        """Return None: the server sends the results in its responses."""
        return None

    def read_result(self, job_id: str, object_id: str) -> bytes:
        """Read the result; see `JobFiles.read_result`."""
        with disk_errors(), _opened(self._result(job_id, object_id)) as file:
            return file.read()

    def has_space(self, leave_bytes: int) -> bool:
        """Return whether `leave_bytes` of the disk are free; True if the folder does not exist."""
        with disk_errors(), suppress(FileNotFoundError):
            return shutil.disk_usage(self._folder).free >= leave_bytes
        return True

    def sweep(self, *, now_us: int) -> None:
        """Remove the folders of old jobs, and files that were not written completely.

        `sweep` makes a system call for each removed file, so do not call it in a request.

        Raises:
            UnavailableError: the folder cannot be read or written.

        """
        oldest_us, oldest_part_us = now_us - KEEP_DAYS * DAY_US, now_us - DAY_US
        with disk_errors():
            jobs, parts = entries_of(self._folder / JOBS), entries_of(self._folder / PARTS)
            expired = [job for job in jobs if _last_change_us(job) < oldest_us]
            remove_each([*expired, *(part for part in parts if changed_us(part) < oldest_part_us)])

    def _sources(self, job_id: str) -> Path:
        return self._folder / JOBS / _checked(job_id, _JOB_ID) / SOURCES

    def _result(self, job_id: str, object_id: str) -> Path:
        folder = self._folder / JOBS / _checked(job_id, _JOB_ID) / RESULTS
        return folder / _checked(object_id, _OBJECT_ID)

    @contextmanager
    def _replacing(self, path: Path) -> Iterator[BinaryIO]:
        parts = self._folder / PARTS
        with self._folder_lock:  # wait until the folders of another upload are on the disk
            make_folder(parts)
            make_folder(path.parent)
        with replacing(path, part_in=parts, prefix="", durable=True) as file:
            yield file

    @contextmanager
    def _one_of_few(self, job_id: str) -> Iterator[None]:
        with self._receiving_lock:
            if self._receiving[job_id] >= UPLOADS_AT_ONCE:
                raise OverloadedError(retry_after_s=1)
            self._receiving[job_id] += 1
        try:
            yield
        finally:
            with self._receiving_lock:
                self._receiving[job_id] -= 1
                if not self._receiving[job_id]:
                    del self._receiving[job_id]

    def require_space(self, leave_bytes: int) -> None:
        """Raise `UnavailableError` if the disk has less free space than `leave_bytes`."""
        if not self.has_space(leave_bytes):
            message = "The storage for uploads is almost full. Nothing was charged."
            raise UnavailableError(message, retry_after_s=60)


def _object_id(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def _checked(name: str, allowed: re.Pattern[str]) -> str:
    """Return a name that can be part of a path.

    Raises:
        UploadNotFoundError: the name can lead to another folder.

    """
    if allowed.fullmatch(name) is None:
        raise UploadNotFoundError
    return name


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise UploadNotFoundError from error
    with file:
        yield file


def _last_change_us(job: Path) -> int:
    """Return the time at which the last file of a job was stored or replaced."""
    return max(changed_us(each) for each in (job, job / SOURCES, job / RESULTS))
