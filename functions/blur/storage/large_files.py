"""Uploads, and results that do not fit in a response; `api.response` redirects to these (303)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blur.errors import ImageTooLargeError

if TYPE_CHECKING:
    from blur.storage.ports import Link, PresignedForm, ResultStore, UploadStore

RESULTS = "results/"
UPLOADS = "uploads/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Decides which results are stored; no result is made smaller so that it fits inline."""

    store: ResultStore | None
    """None: responses have no size limit, and every result is inline."""
    max_inline_bytes: int
    """The largest file whose whole proxy response fits."""
    new_name: Callable[[], str]
    """Return a random name that cannot be guessed: the link is all that a download needs."""

    def store_if_large(
        self, data: bytes, *, content_type: str, file_name: str, now_us: int
    ) -> Link | None:
        """Store a result that is too large for a response; return None for one that fits.

        Raises:
            UnavailableError: the result is too large and the storage is unavailable.

        """
        if self.store is None or len(data) <= self.max_inline_bytes:
            return None
        return self.store.put(
            RESULTS + self.new_name(),
            data,
            content_type=content_type,
            file_name=file_name,
            now_us=now_us,
        )


@dataclass(frozen=True, slots=True)
class PresignedUpload:
    """A form to send the file with, and the id by which the blur request names it."""

    upload_id: str
    form: PresignedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """Presigns uploads for API keys, and finds them again for the same key only."""

    store: UploadStore
    max_bytes: int
    new_id: Callable[[], str]
    public_url: str = ""
    """The address of this server, for stores whose forms are sent to it."""

    def presign_upload(
        self, owner: str, content_type: str, size_bytes: int, *, now_us: int
    ) -> PresignedUpload:
        """Return a form for a file of at most `size_bytes`; `owner` is an API key's digest.

        Raises:
            ImageTooLargeError: `size_bytes` is more than the limit for uploads.
            UnavailableError: the storage is unavailable.

        """
        if size_bytes > self.max_bytes:
            message = f"An upload can have at most {self.max_bytes} bytes."
            raise ImageTooLargeError(message)
        upload_id = self.new_id()
        form = self.store.presign_upload(
            upload_name(owner, upload_id),
            content_type=content_type,
            max_bytes=size_bytes,
            now_us=now_us,
        )
        if form.url.startswith("/"):
            form = replace(form, url=f"{self.public_url}{form.url}")
        return PresignedUpload(upload_id, form)

    def get(self, owner: str, upload_id: str) -> bytes:
        """Return the bytes that this owner uploaded under this id.

        Raises:
            UploadNotFoundError: there is no such upload, or it belongs to another owner.
            ImageTooLargeError, UnavailableError: see `UploadStore.get`.

        """
        return self.store.get(upload_name(owner, upload_id), max_bytes=self.max_bytes)


def upload_name(owner: str, upload_id: str) -> str:
    """Return the name in the store: a digest of both, so that it differs for another owner.

    A digest also keeps text from clients out of paths.
    """
    return UPLOADS + hashlib.sha256(f"{owner}\n{upload_id}".encode()).hexdigest()
