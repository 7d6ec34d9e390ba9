"""Receive uploads in the embedded server: forms streamed to disk, as a bucket receives them.

The form has a signed token first and the file last. The file is written to disk as it arrives, up
to the size in the token.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from blur.api.multipart import MAX_HEADER_BYTES, MAX_HEADERS, MAX_PARTS, boundary_of
from blur.clock import now
from blur.errors import ImageTooLargeError, InvalidRequestError
from blur.parameter_errors import InvalidContentTypeError
from blur.storage.folder import TOKEN_FIELD, FolderStore

if TYPE_CHECKING:
    from blur.storage.upload_token import UploadToken

FILE_FIELD = "file"
MAX_FIELD_BYTES = 4096


async def receive_upload(
    folder: FolderStore, content_type: str, chunks: AsyncIterator[bytes]
) -> None:
    """Store the file of a form.

    Raises:
        ApiError: the form is invalid; the rest of it is not read.

    """
    with _Form(folder, boundary_of(content_type)) as form:
        async for chunk in chunks:
            await asyncio.to_thread(form.feed, chunk)
        form.end()


class _Form:
    """A form that is being received."""

    def __init__(self, folder: FolderStore, boundary: str) -> None:
        self._folder = folder
        self._parser = PushMultipartParser(
            boundary,
            max_header_size=MAX_HEADER_BYTES,
            max_header_count=MAX_HEADERS,
            max_segment_count=MAX_PARTS,
            header_charset="latin-1",
            strict=True,
        )
        self._fields: dict[str, bytes] = {}
        self._name = ""
        self._token: UploadToken | None = None
        self._file: BinaryIO | None = None
        self._open_files = ExitStack()
        self._bytes_left = 0
        self._has_file = False
        self._skipped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open_files.__exit__(kind, error, traceback)

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes of the form."""
        if self._has_file:
            self._skip(chunk)
            return
        try:
            for event in self._parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    self._begin(event.name)
                elif event is None:
                    self._has_file = self._file is not None
                else:
                    self._add(bytes(event))
        except MultipartError as error:
            raise _malformed(error) from error
        if self._has_file:
            self._require_last()

    def end(self) -> None:
        """Check that the form is complete and has a file that is not empty."""
        if not self._has_file:
            try:
                self._parser.close()
            except MultipartError as error:
                raise _malformed(error) from error
        if self._token is None or self._bytes_left == self._token.max_bytes:
            message = f"The form has no file named '{FILE_FIELD}', or the file is empty."
            raise InvalidRequestError(message)

    def _begin(self, name: str) -> None:
        if self._file is not None:
            raise _file_not_last()
        self._name = name
        if name == FILE_FIELD:
            self._token = self._read_token()
            self._bytes_left = self._token.max_bytes
            self._file = self._open_files.enter_context(self._folder.writing(self._token))

    def _require_last(self) -> None:
        """Require that the form ends after its file."""
        try:
            self._parser.close()
        except MultipartError as error:
            raise _file_not_last() from error

    def _skip(self, chunk: bytes) -> None:
        """Ignore bytes after the form (RFC 2046, 5.1.1), such as a CRLF in its own packet.

        The parser accepts them only in the chunk with the end of the form.
        """
        self._skipped += len(chunk)
        if self._skipped > MAX_FIELD_BYTES:
            raise _file_not_last()

    def _read_token(self) -> UploadToken:
        signed = self._fields.get(TOKEN_FIELD, b"").decode("latin-1")
        token = self._folder.verify_token(signed, now_us=now())
        if self._fields.get("Content-Type", b"").decode("latin-1") != token.content_type:
            message = f"The field 'Content-Type' must be {token.content_type}."
            raise InvalidContentTypeError(message)
        return token

    def _add(self, data: bytes) -> None:
        if self._file is None:
            self._fields[self._name] = self._fields.get(self._name, b"") + data
            if len(self._fields[self._name]) > MAX_FIELD_BYTES:
                message = f"The field '{self._name}' is too long."
                raise InvalidRequestError(message)
            return
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            message = "The file is larger than the size declared for it."
            raise ImageTooLargeError(message)
        self._file.write(data)


def _file_not_last() -> InvalidRequestError:
    return InvalidRequestError(f"`{FILE_FIELD}` must be the last field of the form.")


def _malformed(error: MultipartError) -> InvalidRequestError:
    return InvalidRequestError(f"The multipart body is malformed: {error}.")
