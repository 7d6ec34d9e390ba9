"""Signed tokens for uploads to a folder: one file, of one type and size, for a limited time.

    <base64url of JSON: [name, content type, most bytes, expiry]>.<base64url of HMAC-SHA256>

They are to a folder what signed POST policies are to a bucket.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import astuple, dataclass

from blur.errors import UploadNotFoundError


@dataclass(frozen=True, slots=True)
class UploadToken:
    """One file of this type, of 1 to `max_bytes`, under this name, until the token expires."""

    name: str
    content_type: str
    max_bytes: int
    expires_us: int


def sign(token: UploadToken, secret: bytes) -> str:
    """Return the token as text of URL-safe characters."""
    payload = base64.urlsafe_b64encode(json.dumps(astuple(token)).encode())
    return f"{payload.decode()}.{_mac(payload, secret)}"


def verify(signed: str, secret: bytes, *, now_us: int) -> UploadToken:
    """Return the token that was signed.

    Raises:
        UploadNotFoundError: the signature is not from this secret, or the token has expired.

    """
    payload, _, mac = signed.encode(errors="replace").partition(b".")
    if not hmac.compare_digest(mac, _mac(payload, secret).encode()):
        raise UploadNotFoundError
    token = UploadToken(*json.loads(base64.urlsafe_b64decode(payload)))
    if token.expires_us <= now_us:
        raise UploadNotFoundError
    return token


def _mac(payload: bytes, secret: bytes) -> str:
    mac = hmac.new(secret, payload, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).decode()
