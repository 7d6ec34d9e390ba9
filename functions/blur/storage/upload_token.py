"""Signed tokens for uploads to a folder.

A token permits the upload of one file, or of the photos of one job, for a limited time.
The tokens correspond to a bucket's signed POST policies. itsdangerous signs them with HMAC-SHA256.
Because of the salt, a signature for another purpose cannot be used as a token. A token does not
name an API key: `owned_uploads` decides who can use an upload. The server checks the type and the
size of the file (`uploads.py` and `upload_form.py` in `bgblur.serving`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from itsdangerous import BadData, URLSafeSerializer

from blur.errors import UploadNotFoundError

SALT = b"bgblur.upload-token"


@dataclass(frozen=True, slots=True)
class UploadToken:
    """Permission to upload a file with this name, type and maximum size, until the expiry.

    For the photos of a job, `name` is their common prefix, and `content_type` is empty.
    """

    name: str
    content_type: str
    max_bytes: int
    expires_us: int


def sign(token: UploadToken, secrets: Sequence[bytes]) -> str:
    """Return the token as URL-safe text, signed with the newest secret.

    `secrets` are sorted by the names of their files; the last secret is the newest.
    """
    return str(_serializer(secrets).dumps(astuple(token)))


def verify(signed: str, secrets: Sequence[bytes], *, now_us: int) -> UploadToken:
    """Return the token, which must be signed with one of the secrets.

    Raises:
        UploadNotFoundError: no secret matches the signature, or the token has expired.

    """
    try:
        fields = _serializer(secrets).loads(signed.encode(errors="replace"))
    except BadData as error:
        raise UploadNotFoundError from error
    token = UploadToken(*fields)
    if token.expires_us <= now_us:
        raise UploadNotFoundError
    return token


def _serializer(secrets: Sequence[bytes]) -> URLSafeSerializer:
    return URLSafeSerializer(
        list(secrets), salt=SALT, signer_kwargs={"digest_method": hashlib.sha256}
    )
