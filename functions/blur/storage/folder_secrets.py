"""The secrets with which the server signs upload tokens, if the storage is a folder.

The newest secret signs new tokens: its file name is the last in sorted order. Tokens of the other
secrets are accepted, so that an operator can replace a secret.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

KEY_FILE = "secret"
"""The name of the first secret's file. The names of later secrets' files start with this name."""
SECRET_BYTES = 32


def read_secrets(folder: Path) -> list[bytes]:
    """Return the secrets, sorted by the names of their files; create the first secret if needed.

    A file that is shorter than `SECRET_BYTES` is left out: another program is still writing it.
    """
    paths = sorted(folder.glob(f"{KEY_FILE}*"))
    found = [path.read_bytes() for path in paths]
    complete = [secret for secret in found if len(secret) >= SECRET_BYTES]
    return complete or [_create_secret(folder)]


def _create_secret(folder: Path) -> bytes:
    """Create and return the first secret; processes that do this together get the same secret."""
    path = folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=folder)  # the file has mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(descriptor)  # a power failure must not leave an empty file
        with suppress(FileExistsError):
            os.link(part, path)  # unlike a rename, a link never replaces a file
    finally:
        Path(part).unlink()
    secret = path.read_bytes()
    if len(secret) < SECRET_BYTES:
        message = f"{path} has fewer than {SECRET_BYTES} bytes"
        raise OSError(message)
    return secret
