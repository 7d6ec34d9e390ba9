"""Receive uploads in the embedded server, as a bucket does on AWS.

A field before the file is a signed token. A token for an upload is valid for one file. A token
for a job is valid for all files whose field `key` begins with the job's prefix.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bgblur.serving.upload_form import Fields, UploadTarget, receive_form
from blur.clock import now
from blur.errors import InvalidRequestError
from blur.job_errors import JobClosedError
from blur.jobs.model import MAX_SOURCE_BYTES, JobState
from blur.parameter_errors import InvalidContentTypeError
from blur.storage.folder import TOKEN_FIELD, FolderStore

if TYPE_CHECKING:
    from bgblur.serving.ports import JobQueue
    from blur.storage.job_folder import JobFolder

KEY_FIELD = "key"


async def receive_upload(
    folder: FolderStore, content_type: str, chunks: AsyncIterator[bytes]
) -> None:
    """Store the file of an upload's form.

    Raises:
        ApiError: the form is invalid; the rest of the form is not read.

    """

    def find_target(fields: Fields) -> UploadTarget:
        token = folder.verify_token(_text(fields, TOKEN_FIELD), now_us=now())
        if _text(fields, "Content-Type") != token.content_type:
            message = f"The field 'Content-Type' must be {token.content_type}."
            raise InvalidContentTypeError(message)
        return UploadTarget(token.max_bytes, folder.writing(token))

    await receive_form(content_type, chunks, find_target)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUploadReceiver:
    """Receives the photos of jobs."""

    folder: JobFolder
    queue: JobQueue
    leave_bytes: int
    """The free space that must remain on the disk."""
    on_added: Callable[[], None]
    """Called after each photo that is added to a job."""

    async def receive(self, content_type: str, chunks: AsyncIterator[bytes]) -> None:
        """Store a photo, and then add it to its job.

        The photo is stored first, so that after a failure no job has a row for a photo that is
        missing. If the photo cannot be added, the client gets an error and sends the photo again.

        Raises:
            ApiError: the form is invalid, or the job is not open; the rest of the form is not read.

        """
        photos: list[tuple[str, str]] = []

        def find_target(fields: Fields) -> UploadTarget:
            job_id, token = self.folder.verify_token(_text(fields, TOKEN_FIELD), now_us=now())
            source = _source(fields, token.name)
            self._require_open(job_id)
            photos.append((job_id, source))
            file = self.folder.writing_source(job_id, source, leave_bytes=self.leave_bytes)
            # Many uploads can start while there is space for only one, so the space is also checked
            # before each part of the file.
            require_space = partial(self.folder.require_space, self.leave_bytes)
            return UploadTarget(token.max_bytes, file, require_space)

        await receive_form(content_type, chunks, find_target)
        await asyncio.to_thread(self._add, *photos[0])
        self.on_added()

    def _add(self, job_id: str, source: str) -> None:
        if not self.queue.add_object(job_id, source, now_us=now()):
            self._require_not_ended(job_id)

    def _require_open(self, job_id: str) -> None:
        if self.queue.find_job(job_id).state is not JobState.OPEN:
            raise JobClosedError

    def _require_not_ended(self, job_id: str) -> None:
        """Reject a photo whose job has ended during the upload.

        If the job already has the photo, the photo is not added a second time. This is not an
        error, because the client can send a photo again.
        """
        if self.queue.find_job(job_id).has_ended:
            raise JobClosedError


def _text(fields: Fields, name: str) -> str:
    return fields.get(name, b"").decode("latin-1")


def _source(fields: Fields, prefix: str) -> str:
    """Return the name of a photo from the form's field `key`.

    Raises:
        InvalidRequestError: no field `key` precedes the file, the field does not begin with the
        prefix, or the name is not valid.

    """
    if KEY_FIELD not in fields:
        message = f"Send the field '{KEY_FIELD}' before the file: '{prefix}' and the photo's name."
        raise InvalidRequestError(message)
    try:
        key = fields[KEY_FIELD].decode()
    except UnicodeDecodeError as error:
        message = f"The field '{KEY_FIELD}' must be text in UTF-8."
        raise InvalidRequestError(message) from error
    source = key.removeprefix(prefix)
    if not key.startswith(prefix) or not 1 <= len(source.encode()) <= MAX_SOURCE_BYTES:
        message = (
            f"The field '{KEY_FIELD}' must be '{prefix}' and a name of 1 to {MAX_SOURCE_BYTES}"
            " bytes in UTF-8."
        )
        raise InvalidRequestError(message)
    return source
