"""Upload the photos of a job, one or many at a time."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from blur_client.errors import (
    ApiError,
    BlurClientError,
    ImageTooLargeError,
    InvalidImageError,
    JobClosedError,
    SourceChangedError,
    UnexpectedResponseError,
    UploadNotFoundError,
)
from blur_client.form import photo_form
from blur_client.parallel import map_bounded
from blur_client.responses import parse_error
from blur_client.source import Photo

if TYPE_CHECKING:
    from blur_client.attempts import Attempts, OnWait
    from blur_client.form import OnUpload
    from blur_client.job_documents import Job, UploadForm
    from blur_client.source import PhotoInput
    from blur_client.transport import Transport

PHOTO_STATUSES = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
"""Statuses of errors that concern only one photo, such as a name that is too long. Other photos can
still be uploaded."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The outcome for one photo: uploaded, or an error that concerns only this photo."""

    source: str
    error: BlurClientError | OSError | None = None


class JobUploads:
    """Uploads photos with the presigned form of a job, and replaces an expired form."""

    def __init__(
        self, transport: Transport, attempts: Attempts, new_form: Callable[[], Job]
    ) -> None:
        """Request the first upload form with `new_form`, which returns the job with its new form.

        Raises:
            JobClosedError: the job is closed or cancelled.
            ApiError, ConnectionFailedError: the form could not be requested.

        """
        self._transport = transport
        self._attempts = attempts
        self._new_form = new_form
        self._lock = threading.Lock()
        self._form = self._request_form()

    def upload(
        self,
        source: str,
        photo: PhotoInput,
        *,
        on_upload: OnUpload | None = None,
        on_wait: OnWait | None = None,
    ) -> None:
        """Upload one photo under the name `source`, such as its path in a folder.

        An upload can be repeated: each name counts as one photo, which is charged at most once.

        Raises:
            JobClosedError: the job was closed or cancelled in the meantime.
            ImageTooLargeError: the photo has more bytes than the job accepts.
            OSError: the file cannot be read.
            ApiError, ConnectionFailedError, SourceChangedError: as for `Client.blur`.

        """
        opened = Photo(photo)

        def attempt() -> None:
            form = self._form
            try:
                self._send(form, source, opened, on_upload)
            except ApiError as error:
                if not _has_expired(error):
                    raise
                self._send(self._renewed(form), source, opened, on_upload)

        self._attempts.run(attempt, on_wait)

    def upload_all(
        self,
        photos: Iterable[tuple[str, PhotoInput]],
        *,
        threads: int = 4,
        on_wait: OnWait | None = None,
    ) -> Iterator[Uploaded]:
        """Upload photos in several threads; each pair has a name and a photo.

        Yield one outcome for each photo. `photos` is read as the uploads proceed, so it can be a
        generator of any length. If the caller stops the iteration, running uploads are finished and
        no further upload starts. The threads call `on_wait` before each wait for a retry.

        Raises:
            BlurClientError: an error that would also occur for all other photos.
        """
        upload_one = functools.partial(self._upload_one, on_wait=on_wait)
        return map_bounded(upload_one, photos, threads=threads)

    def _upload_one(self, pair: tuple[str, PhotoInput], *, on_wait: OnWait | None) -> Uploaded:
        source, photo = pair
        try:
            self.upload(source, photo, on_wait=on_wait)
        except (SourceChangedError, OSError) as error:
            return Uploaded(source, error)
        except ApiError as error:
            if error.status not in PHOTO_STATUSES:
                raise
            return Uploaded(source, error)
        return Uploaded(source)

    def _send(
        self, form: UploadForm, source: str, photo: Photo, on_upload: OnUpload | None
    ) -> None:
        if photo.size_bytes > form.max_bytes:
            raise _too_large(form)
        if not photo.size_bytes:
            raise _empty()
        fields = {**form.fields, "key": form.prefix + source}
        with photo_form(fields, "file", photo, on_upload) as body:
            response = self._transport.send_without_key("POST", form.url, form=body)
        if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise parse_error(response)

    def _renewed(self, expired: UploadForm) -> UploadForm:
        """Return a new upload form; if several threads need it, only the first one requests it."""
        with self._lock:
            if self._form is expired:
                self._form = self._request_form()
            return self._form

    def _request_form(self) -> UploadForm:
        job = self._new_form()
        if job.upload is None:
            code, message = "job_closed", f"The job is {job.state}, so no photo can be added."
            raise JobClosedError(code, message, status=HTTPStatus.CONFLICT)
        return job.upload


def _empty() -> InvalidImageError:
    """Return the error for an empty photo, which is not sent."""
    return InvalidImageError("invalid_image", "The file is empty.", status=HTTPStatus.BAD_REQUEST)


def _too_large(form: UploadForm) -> ImageTooLargeError:
    """Return the error that the API would send for a photo that is too large."""
    code, status = "image_too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    message = f"The photo has more than {form.max_bytes} bytes."
    return ImageTooLargeError(code, message, status=status)


def _has_expired(error: ApiError) -> bool:
    """Return whether the error means that the upload form has expired.

    In this case, the embedded server responds with `upload_not_found`, and a bucket with 403.
    """
    is_of_bucket = isinstance(error, UnexpectedResponseError)
    return isinstance(error, UploadNotFoundError) or (
        is_of_bucket and error.status == HTTPStatus.FORBIDDEN
    )
