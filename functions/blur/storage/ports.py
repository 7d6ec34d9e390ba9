"""The ports of the storage for large files.

`bucket.BucketStore` implements both ports; `folder.FolderStore` implements only `UploadStore`,
since the embedded server can send a result of any size. Names are paths such as `results/9Xb…`; the
caller chooses them at random, so that they cannot be guessed. A file is kept for about a day.
Times are microseconds since 1970.

Each method raises `UnavailableError` if the storage fails or does not respond in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

LINK_TTL_S = 900
"""For this many seconds, a link to a result works, and an upload can be started."""
KEEP_DAYS = 7
"""How many days the photos and the results of jobs are kept."""


@dataclass(frozen=True, slots=True)
class Link:
    """The URL of a stored result; it needs no key."""

    url: str = field(repr=False)
    expires_us: int


@dataclass(frozen=True, slots=True)
class PresignedForm:
    """A multipart form for a POST request.

    The client sends all `fields` unchanged, and then the file as the field `file`. A relative `url`
    is resolved against the address of the API.
    """

    url: str
    fields: Mapping[str, str] = field(repr=False)
    expires_us: int
    prefix: str = ""
    """If this is not empty, each file also needs a field `key` that begins with this prefix."""


class ResultStore(Protocol):
    """Stores results that are too large for a response."""

    def put(
        self, name: str, data: bytes, *, content_type: str, file_name: str, now_us: int
    ) -> Link:
        """Store the result and return its link, which works for `LINK_TTL_S`.

        Clients save the result as `file_name` (ASCII, without quotes).
        """
        ...


class UploadStore(Protocol):
    """Receives photos that are too large for a request."""

    def origin(self) -> str:
        """Return scheme and host in the URLs of forms and links; "" for the API's own host."""
        ...

    def presign_upload(
        self, name: str, *, content_type: str, max_bytes: int, now_us: int
    ) -> PresignedForm:
        """Return a form that uploads a file of 1 to `max_bytes` bytes, with this type and name.

        The form can be sent until it expires. Each file replaces the file that was sent before it.
        """
        ...

    def get(self, name: str, *, max_bytes: int) -> bytes:
        """Return the file that was uploaded under this name; the file stays in the storage.

        Raises:
            UploadNotFoundError: the file does not exist or has expired.
            ImageTooLargeError: the file has more than `max_bytes`.

        """
        ...
