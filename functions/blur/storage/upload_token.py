"""What may be uploaded to a folder, signed so that it can be handed out and believed later.

    <base64url of JSON: [name, content type, most bytes, expiry]>.<base64url of HMAC-SHA256>

It does for a folder what a signed POST policy does for a bucket.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import astuple, dataclass

from blur.errors import UploadNotFoundError


@dataclass(frozen=True, slots=True)
class Permit:
    """One file of this type, of 1 to `max_bytes`, under this name, until it expires."""

    name: str
    content_type: str
    max_bytes: int
    expires_us: int


def sign(permit: Permit, secret: bytes) -> str:
    """Return the permit as a token of URL-safe characters."""
    payload = base64.urlsafe_b64encode(json.dumps(astuple(permit)).encode())
    return f"{payload.decode()}.{_mac(payload, secret)}"


def verify(token: str, secret: bytes, *, now_us: int) -> Permit:
    """Return the permit that was signed.

    Raises:
        UploadNotFoundError: it was not signed with this secret, or has expired.

    """
    payload, _, mac = token.encode(errors="replace").partition(b".")
    if not hmac.compare_digest(mac, _mac(payload, secret).encode()):
        raise UploadNotFoundError
    permit = Permit(*json.loads(base64.urlsafe_b64decode(payload)))
    if permit.expires_us <= now_us:
        raise UploadNotFoundError
    return permit


def _mac(payload: bytes, secret: bytes) -> str:
    mac = hmac.new(secret, payload, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).decode()
