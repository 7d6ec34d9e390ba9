"""The port: what the service asks of a place for large files.

`bucket.BucketStore` implements it whole; `folder.FolderStore` only takes uploads, since the
server that stands in front of a folder can answer with a result of any size. Names are paths
such as `results/9Xb…`, chosen by the caller so that nobody can guess them. What is stored
stays for about a day. Instants are microseconds since 1970.

Each method raises `UnavailableError` where the place cannot be reached within its time-outs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

LINK_TTL_S = 900
"""How long a link to a result works, and how long an upload may be begun."""


@dataclass(frozen=True, slots=True)
class Result:
    """A finished file, its media type, and the name to save it under (ASCII, no quotes)."""

    data: bytes = field(repr=False)
    content_type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class Link:
    """Where a kept result can be fetched by whoever has the URL."""

    url: str = field(repr=False)
    expires_us: int


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A multipart form to POST: every field as it stands, then the bytes as `file`.

    `url` may be relative: it is then resolved against the address that the client called.
    """

    url: str
    fields: Mapping[str, str] = field(repr=False)
    expires_us: int


class ResultStore(Protocol):
    """Keeps results that are too large to be answered with."""

    def keep(self, name: str, result: Result, *, now_us: int) -> Link:
        """Store the result under this name and link to it for `LINK_TTL_S`."""
        ...


class UploadStore(Protocol):
    """Takes photos that are too large to be sent in a request."""

    def origin(self) -> str:
        """Return scheme and host of the forms' URLs and of links; "" for the API's own."""
        ...

    def offer(self, name: str, *, content_type: str, max_bytes: int, now_us: int) -> UploadForm:
        """Let a file of this type, of 1 to `max_bytes`, be uploaded under this name.

        Whoever has the form may send it until it expires; the last file counts.
        """
        ...

    def take(self, name: str, *, max_bytes: int) -> bytes:
        """Return what was uploaded under this name; it stays there.

        Raises:
            UploadNotFoundError: nothing was, or it is gone.
            ImageTooLargeError: it has more than `max_bytes`.

        """
        ...
