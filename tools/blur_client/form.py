"""The fields of a request, and a multipart form that streams a photo and reports the progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

from blur_client.errors import SourceChangedError

if TYPE_CHECKING:
    from blur_client.source import Photo

OnUpload = Callable[[int, int], None]
"""Called with the bytes sent so far and the total bytes; a retry starts at 0 again."""


def set_fields(**fields: object) -> dict[str, str]:
    """Return the fields as text; leave out fields that are None, so that defaults apply."""
    return {name: str(value) for name, value in fields.items() if value is not None}


class FixedSizeReader:
    """A reader that reads exactly the declared number of bytes from a file.

    The class has no `fileno` and no `getvalue`, so the encoder uses `len` as the size.
    """

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        """Read at most `size_bytes`."""
        self._file = file
        self.len = size_bytes
        """The number of bytes not read yet."""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        Raises:
            SourceChangedError: the file is shorter than declared.

        """
        chunk = self._file.read(self.len if size < 0 else min(size, self.len))
        if not chunk and self.len and size:
            message = "the file became shorter while it was being sent"
            raise SourceChangedError(message)
        self.len -= len(chunk)
        return chunk


@contextmanager
def photo_form(
    fields: Mapping[str, str], name: str, photo: Photo, on_upload: OnUpload | None
) -> Iterator[MultipartEncoderMonitor]:
    """Open the photo, and yield a form with the photo as its last field, called `name`."""
    with photo.open() as file:
        content_type = photo.content_type or "application/octet-stream"
        part = (photo.name, FixedSizeReader(file, photo.size_bytes), content_type)
        encoder = MultipartEncoder({**fields, name: part})
        yield MultipartEncoderMonitor(encoder, _monitor_callback(on_upload))


def _monitor_callback(on_upload: OnUpload | None) -> Callable[[MultipartEncoderMonitor], None]:
    def report(monitor: MultipartEncoderMonitor) -> None:
        if on_upload is not None:
            on_upload(monitor.bytes_read, monitor.len)

    return report
