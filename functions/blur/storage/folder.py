"""The storage of the embedded server: signs upload forms and stores the uploads in a folder.

    <folder>/secret*                        the secrets, which sign the upload tokens
    <folder>/uploads/2026-11-23T10/<name>   uploads whose forms were made in this hour (UTC)

Several processes can share the folder. The secrets are in the folder, so a form is still valid
after a restart. The secret whose name sorts last signs new tokens. Tokens of the other secrets are
accepted, so that an operator can replace a secret. `sweep` removes expired uploads, one hourly
folder at a time. A request lists only the names of the hourly folders, not the files in them.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from blur.errors import IdempotencyInProgressError, ImageTooLargeError, UploadNotFoundError
from blur.storage.folder_files import disk_errors, remove_each, replacing
from blur.storage.folder_secrets import read_secrets
from blur.storage.ports import LINK_TTL_S, PresignedForm
from blur.storage.upload_token import UploadToken, sign, verify

UPLOAD_PATH = "/media/uploads"
"""The path of the server's route that receives uploads."""
TOKEN_FIELD = "token"  # noqa: S105 - the name of a field, not a secret
UPLOADS = "uploads"
"""The folder with the uploads, in the storage's folder."""
MAX_UPLOAD_AGE_S = 24 * 3600
"""The time for which an upload is kept after the hour in which its form was made."""
HOUR_S = 3600
SECOND_US = 1_000_000
RETRY_AFTER_S = 5
"""The seconds after which a client can try again, if an upload with its form is in progress."""
_NAME = re.compile(rf"{UPLOADS}/([0-9A-Za-z_-]+)")
_HOUR_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d")
_PART = "part-"
"""The prefix in the names of unfinished uploads."""


class FolderStore:
    """Uploads in a folder, which is created at its first use."""

    def __init__(self, folder: Path) -> None:
        """Store the path; nothing is read or written yet."""
        self._folder = folder
        self._receiving: set[str] = set()
        self._receiving_lock = threading.Lock()

    def origin(self) -> str:
        """Return "", because clients send uploads to the API's own host."""
        return ""

    def presign_upload(
        self, name: str, *, content_type: str, max_bytes: int, now_us: int
    ) -> PresignedForm:
        """Sign an upload token; see `UploadStore.presign_upload`."""
        token = UploadToken(name, content_type, max_bytes, now_us + LINK_TTL_S * SECOND_US)
        with disk_errors():
            signed = sign(token, read_secrets(self._folder))
        fields = {"Content-Type": content_type, TOKEN_FIELD: signed}
        return PresignedForm(UPLOAD_PATH, fields, token.expires_us)

    def verify_token(self, signed: str, *, now_us: int) -> UploadToken:
        """Return the upload token, which must be signed with a secret of this folder.

        Raises:
            UploadNotFoundError: the signature is not valid, or the token has expired.

        """
        with disk_errors():
            return verify(signed, read_secrets(self._folder), now_us=now_us)

    @contextmanager
    def writing(self, token: UploadToken) -> Iterator[BinaryIO]:
        """Yield a new file, and store the file when the context ends without an exception.

        A token has at most one open upload in each process, so unfinished uploads with one token
        cannot fill the disk. A later upload replaces the stored file atomically.

        Raises:
            UploadNotFoundError: the token's name is not the name of an upload.
            IdempotencyInProgressError: an upload with this token is in progress.

        """
        path = self._hour_folder(token.expires_us - LINK_TTL_S * SECOND_US) / _name_in(token.name)
        with self._only_one(token.name), disk_errors():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with replacing(path, part_in=path.parent, prefix=_PART) as file:
                yield file

    def get(self, name: str, *, max_bytes: int) -> bytes:
        """Read the file; see `UploadStore.get`."""
        file_name = _name_in(name)
        with disk_errors():
            data = _head(self._candidates(file_name), max_bytes + 1)
        if len(data) > max_bytes:
            message = f"The upload has more than {max_bytes} bytes."
            raise ImageTooLargeError(message)
        return data

    def sweep(self, *, now_us: int) -> None:
        """Remove expired uploads, and move the uploads of an older server into hourly folders.

        This method makes a system call for each file that it removes or moves, so do not call the
        method in a request.

        Raises:
            UnavailableError: the folder cannot be read or written.

        """
        oldest = _hour_name(now_us - (MAX_UPLOAD_AGE_S + HOUR_S) * SECOND_US)
        expired = []
        with disk_errors(), suppress(FileNotFoundError):  # the folder does not exist yet
            for entry in list(os.scandir(self._folder / UPLOADS)):
                if entry.is_file(follow_symlinks=False):
                    self._move_by_hour(Path(entry.path), now_us)
                elif _HOUR_NAME.fullmatch(entry.name) and entry.name <= oldest:
                    expired.append(Path(entry.path))
            remove_each(expired)

    def _move_by_hour(self, path: Path, now_us: int) -> None:
        """Move an older server's upload into its hourly folder; remove an expired upload."""
        with suppress(FileNotFoundError):
            stored_us = path.stat().st_mtime_ns // 1000
            if stored_us < now_us - MAX_UPLOAD_AGE_S * SECOND_US:
                path.unlink()
            elif not path.name.startswith(_PART):  # an older server can be writing this upload
                folder = self._hour_folder(stored_us)
                folder.mkdir(exist_ok=True, mode=0o700)
                path.rename(folder / path.name)

    def _hour_folder(self, instant_us: int) -> Path:
        return self._folder / UPLOADS / _hour_name(instant_us)

    def _candidates(self, file_name: str) -> Iterator[Path]:
        """Yield each path at which an upload with this name can be stored."""
        uploads = self._folder / UPLOADS
        with suppress(FileNotFoundError):
            hours = [name for name in os.listdir(uploads) if _HOUR_NAME.fullmatch(name)]  # noqa: PTH208 - only the names are needed
            yield from (uploads / hour / file_name for hour in sorted(hours, reverse=True))
        yield uploads / file_name  # an older server's path; `sweep` moves the file

    @contextmanager
    def _only_one(self, name: str) -> Iterator[None]:
        with self._receiving_lock:
            if name in self._receiving:
                message = "An upload with this form is in progress. Wait, or request a new form."
                raise IdempotencyInProgressError(message, retry_after_s=RETRY_AFTER_S)
            self._receiving.add(name)
        try:
            yield
        finally:
            with self._receiving_lock:
                self._receiving.remove(name)


def _name_in(name: str) -> str:
    """Return the name of the file: the last part of the upload's name.

    Raises:
        UploadNotFoundError: `name` cannot be the name of an upload; for example, it is a path.

    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UploadNotFoundError
    return match[1]


def _hour_name(instant_us: int) -> str:
    return datetime.fromtimestamp(instant_us // SECOND_US, UTC).strftime("%Y-%m-%dT%H")


def _head(candidates: Iterator[Path], size_bytes: int) -> bytes:
    for path in candidates:
        with suppress(FileNotFoundError), path.open("rb") as file:
            return file.read(size_bytes)
    raise UploadNotFoundError
