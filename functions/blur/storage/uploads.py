"""Uploads as their owners see them: an id, which means nothing to anyone else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blur.errors import ImageTooLargeError

if TYPE_CHECKING:
    from blur.storage.ports import UploadForm, UploadStore

PREFIX = "uploads/"


@dataclass(frozen=True, slots=True)
class Offer:
    """A form to send the file with, and the id to ask for it by."""

    upload_id: str
    form: UploadForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """Offers uploads to API keys and finds them again, for the key that asked only."""

    store: UploadStore
    max_bytes: int
    new_id: Callable[[], str]
    public_url: str = ""
    """The address of this server, for stores whose forms are sent to it."""

    def offer(self, owner: str, content_type: str, size_bytes: int, *, now_us: int) -> Offer:
        """Offer an upload of at most `size_bytes` to `owner`, an API key's digest.

        Raises:
            ImageTooLargeError: that is more than any upload may have.
            UnavailableError: the store cannot be reached.

        """
        if size_bytes > self.max_bytes:
            message = f"An upload has at most {self.max_bytes} bytes."
            raise ImageTooLargeError(message)
        upload_id = self.new_id()
        form = self.store.offer(
            name_of(owner, upload_id),
            content_type=content_type,
            max_bytes=size_bytes,
            now_us=now_us,
        )
        if form.url.startswith("/"):
            form = replace(form, url=f"{self.public_url}{form.url}")
        return Offer(upload_id, form)

    def take(self, owner: str, upload_id: str) -> bytes:
        """Return the bytes that were uploaded under this id by this owner.

        Raises:
            UploadNotFoundError: nothing was, or it was another owner's.
            ImageTooLargeError, UnavailableError: as the store has them.

        """
        return self.store.take(name_of(owner, upload_id), max_bytes=self.max_bytes)


def name_of(owner: str, upload_id: str) -> str:
    """Derive the object's name from both, so that another owner's id leads nowhere.

    A digest also means that no text of a client's ever becomes part of a path.
    """
    return PREFIX + hashlib.sha256(f"{owner}\n{upload_id}".encode()).hexdigest()
