"""The embedded store: uploads in a folder, received by the server that stands before it.

Several processes may share the folder. Its secret lies in it, so that a form made before a
restart still works after it. Files older than a day are removed whenever an upload is
offered, which is when new ones may come.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from blur.delivery.permit import Permit, sign, verify
from blur.delivery.store import LINK_TTL_S, UploadForm
from blur.errors import ImageTooLargeError, UnavailableError, UploadNotFoundError

UPLOAD_PATH = "/media/uploads"
"""Where the server takes the forms."""
TOKEN_FIELD = "token"  # noqa: S105 - the name of a field, no secret
UPLOADS = "uploads"
"""Where in the folder they lie: beside the secret, which is not one of them."""
KEEP_S = 24 * 3600
SECRET_BYTES = 32


class FolderStore:
    """Uploads in a folder, which the first use creates."""

    def __init__(self, folder: Path) -> None:
        """Keep the path; nothing is read or written yet."""
        self._folder = folder

    def origin(self) -> str:
        """Return "": the server in front of the folder is the API's own."""
        return ""

    def offer(self, name: str, *, content_type: str, max_bytes: int, now_us: int) -> UploadForm:
        """Sign a permit; see `UploadStore.offer`."""
        permit = Permit(name, content_type, max_bytes, now_us + LINK_TTL_S * 1_000_000)
        with _writable():
            self._sweep(now_us)
            token = sign(permit, self._secret())
        fields = {"Content-Type": content_type, TOKEN_FIELD: token}
        return UploadForm(UPLOAD_PATH, fields, permit.expires_us)

    def permit(self, token: str, *, now_us: int) -> Permit:
        """Return what this folder has permitted by this token.

        Raises:
            UploadNotFoundError: it has not, or the time is over.

        """
        with _writable():
            return verify(token, self._secret(), now_us=now_us)

    @contextmanager
    def writing(self, permit: Permit) -> Iterator[BinaryIO]:
        """Open the permitted upload; what is written counts once the context ends well."""
        path = self._path(permit.name)
        with _writable():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _replacing(path) as file:
                yield file

    def take(self, name: str, *, max_bytes: int) -> bytes:
        """Read the file; see `UploadStore.take`."""
        with _writable():
            data = _head(self._path(name), max_bytes + 1)
        if len(data) > max_bytes:
            message = f"The upload has more than {max_bytes} bytes."
            raise ImageTooLargeError(message)
        return data

    def _path(self, name: str) -> Path:
        """Return where an upload of this name lies, or would lie.

        Raises:
            UploadNotFoundError: the name leads out of the uploads' folder.

        """
        uploads = (self._folder / UPLOADS).resolve()
        path = (self._folder / name).resolve()
        if path.parent != uploads:
            raise UploadNotFoundError
        return path

    def _secret(self) -> bytes:
        """Read the secret, or make it; of processes that make one at once, one wins."""
        path = self._folder / "secret"
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, mine = tempfile.mkstemp(dir=self._folder)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(SECRET_BYTES))
                file.flush()
                os.fsync(descriptor)  # a power cut must not leave the name on an empty file
            with contextlib.suppress(FileExistsError):
                os.link(mine, path)  # which, unlike a rename, replaces nothing
        finally:
            Path(mine).unlink()
        return path.read_bytes()

    def _sweep(self, now_us: int) -> None:
        oldest_s = now_us / 1_000_000 - KEEP_S
        for path in self._folder.glob(f"{UPLOADS}/*"):
            with contextlib.suppress(FileNotFoundError):  # another process was first
                if path.stat().st_mtime < oldest_s:
                    path.unlink()


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Write beside the path and take its place at the end, or leave nothing behind."""
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix="part-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _head(path: Path, size_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size_bytes)
    except FileNotFoundError as error:
        raise UploadNotFoundError from error


@contextmanager
def _writable() -> Iterator[None]:
    """Call a disk that is full, failing or gone an outage."""
    try:
        yield
    except OSError as error:
        message = "The store of large files does not work just now. Nothing was charged."
        raise UnavailableError(message, retry_after_s=1) from error
