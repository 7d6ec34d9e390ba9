"""A photo and its fields as a multipart form that is streamed and watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

from blur_client.errors import SourceChangedError

if TYPE_CHECKING:
    from blur_client.source import Photo

OnUpload = Callable[[int, int], None]
"""Called with the bytes sent so far and in all; a repeated attempt begins at 0 again."""


class Counted:
    """A file of which so many bytes are sent, whatever `fileno` or `getvalue` would say."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        """Count down from the size that was declared."""
        self._file = file
        self.len = size_bytes

    def read(self, size: int = -1) -> bytes:
        """Read on.

        Raises:
            SourceChangedError: the file is shorter than it was.

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
    """Open the photo and put it behind the fields, as the field `name`."""
    with photo.open() as file:
        content_type = photo.content_type or "application/octet-stream"
        part = (photo.name, Counted(file, photo.size_bytes), content_type)
        encoder = MultipartEncoder({**fields, name: part})
        yield MultipartEncoderMonitor(encoder, _watch(on_upload))


def _watch(on_upload: OnUpload | None) -> Callable[[MultipartEncoderMonitor], None]:
    def tell(monitor: MultipartEncoderMonitor) -> None:
        if on_upload is not None:
            on_upload(monitor.bytes_read, monitor.len)

    return tell
