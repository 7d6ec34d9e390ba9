"""Uploads: each upload belongs to the API key that requested its form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blur.errors import ImageTooLargeError

if TYPE_CHECKING:
    from blur.storage.ports import PresignedForm, UploadStore

UPLOAD_PREFIX = "uploads/"


@dataclass(frozen=True, slots=True)
class PresignedUpload:
    """The form with which a client sends a file, and the file's id for a blur request."""

    upload_id: str
    form: PresignedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """Presigns uploads for API keys; only the key that requested an upload can use it."""

    store: UploadStore
    max_bytes: int
    new_id: Callable[[], str]
    public_url: str = ""
    """The address of this server, for the forms that clients send to this server."""

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
            UploadNotFoundError: the upload does not exist, or belongs to another owner.
            ImageTooLargeError, UnavailableError: see `UploadStore.get`.

        """
        return self.store.get(upload_name(owner, upload_id), max_bytes=self.max_bytes)


def upload_name(owner: str, upload_id: str) -> str:
    """Return the upload's name in the storage: a digest of owner and id.

    Two owners never have the same name, and a path never contains text from a client.
    """
    return UPLOAD_PREFIX + hashlib.sha256(f"{owner}\n{upload_id}".encode()).hexdigest()
