"""Receive forms with one file, as a bucket does, and write the file to disk while it arrives.

The file is the last field. The fields before the file, such as a signed token, decide where the
file is written and how large it can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from blur.api.multipart import MAX_HEADER_BYTES, MAX_HEADERS, MAX_PARTS, boundary_of
from blur.errors import ImageTooLargeError, InvalidRequestError

FILE_FIELD = "file"
MAX_FIELD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """Where the file of a form is written, and the limits for this file."""

    max_bytes: int
    file: AbstractContextManager[BinaryIO]
    """A context manager that stores the file when the context ends without an exception."""
    require_space: Callable[[], None] = lambda: None
    """Raise an `ApiError` if the disk is almost full; called before each part of the file."""


Fields = Mapping[str, bytes]
FindTarget = Callable[[Fields], UploadTarget]
"""Return the `UploadTarget` of the form's file, given the fields that precede the file; or raise an
`ApiError`."""


async def receive_form(
    content_type: str, chunks: AsyncIterator[bytes], find_target: FindTarget
) -> None:
    """Store the file of a form on the disk. All writes run in threads.

    Raises:
        ApiError: the form is invalid; the rest of the form is not read, and no file is stored.

    """
    form = _Form(boundary_of(content_type), find_target)
    try:
        async for chunk in chunks:
            await asyncio.to_thread(form.feed, chunk)
        form.end()
    except BaseException as error:
        form.discard(error)
        raise
    await asyncio.to_thread(form.store)


class _Form:
    """A form that is being received."""

    def __init__(self, boundary: str, find_target: FindTarget) -> None:
        self._find_target = find_target
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
        self._target: UploadTarget | None = None
        self._require_space: Callable[[], None] = lambda: None
        self._file: BinaryIO | None = None
        self._open_files = ExitStack()
        self._bytes_left = 0
        self._has_file = False
        self._skipped = 0

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
        if self._target is None:
            message = f"The form has no file named '{FILE_FIELD}'."
            raise InvalidRequestError(message)
        if self._bytes_left == self._target.max_bytes:
            message = "The file is empty."
            raise InvalidRequestError(message)

    def store(self) -> None:
        """Store the complete file."""
        self._open_files.close()

    def discard(self, error: BaseException) -> None:
        """Remove the incomplete file."""
        self._open_files.__exit__(type(error), error, error.__traceback__)

    def _begin(self, name: str) -> None:
        if self._file is not None:
            raise _file_not_last()
        self._name = name
        if name == FILE_FIELD:
            self._target = self._find_target(self._fields)
            self._bytes_left = self._target.max_bytes
            self._require_space = self._target.require_space
            self._file = self._open_files.enter_context(self._target.file)
        elif name in self._fields:
            message = f"Send the field '{name}' only once."
            raise InvalidRequestError(message)
        else:
            self._fields[name] = b""

    def _require_last(self) -> None:
        """Raise an error if the file is not the last field of the form."""
        try:
            self._parser.close()
        except MultipartError as error:
            raise _file_not_last() from error

    def _skip(self, chunk: bytes) -> None:
        """Ignore bytes after the form (RFC 2046, 5.1.1), such as a CRLF in its own packet.

        The parser accepts such bytes only if they arrive in the same chunk as the form's end.
        """
        self._skipped += len(chunk)
        if self._skipped > MAX_FIELD_BYTES:
            raise _file_not_last()

    def _add(self, data: bytes) -> None:
        if self._file is None:
            self._fields[self._name] += data
            if len(self._fields[self._name]) > MAX_FIELD_BYTES:
                message = f"The field '{self._name}' is too long."
                raise InvalidRequestError(message)
            return
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            message = "The file has more bytes than its form allows."
            raise ImageTooLargeError(message)
        self._require_space()
        self._file.write(data)


def _file_not_last() -> InvalidRequestError:
    return InvalidRequestError(f"`{FILE_FIELD}` must be the last field of the form.")


def _malformed(error: MultipartError) -> InvalidRequestError:
    return InvalidRequestError(f"The multipart body is malformed: {error}.")
