"""Notifications of a job's end, signed as in Standard Webhooks, and sent only to public addresses.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from ipaddress import ip_address
from typing import TYPE_CHECKING

from blur.accounts.model import SECOND_US
from blur.fetching.addresses import is_public
from blur.fetching.errors import FetchError, InvalidUrlError
from blur.fetching.url_target import parse_target
from blur.job_errors import InvalidNotifyError
from blur.jobs.document import job_document
from blur.timing import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.accounts.model import Instant
    from blur.fetching.poster import Post
    from blur.jobs.model import Job

ENDED = "job.ended"
"""The type of the event."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of every secret, not a secret
ACCEPTED = range(200, 300)


def check_notify(url: str) -> None:
    """Reject a URL that cannot be on the public internet. The name of the host is not looked up.

    Raises:
        InvalidNotifyError: the URL is malformed, is not Unicode text, or has an address outside of
            the public internet.

    """
    try:
        url.encode()  # JSON can contain lone surrogates, which no store accepts
        host = parse_target(url).host
    except UnicodeEncodeError as error:
        message = "The field 'notify' is not valid. The URL is not valid Unicode text."
        raise InvalidNotifyError(message) from error
    except InvalidUrlError as error:
        message = f"The field 'notify' is not valid. {error}"
        raise InvalidNotifyError(message) from error
    if not _can_be_public(host):
        message = "The field 'notify' is not valid. The address is not on the public internet."
        raise InvalidNotifyError(message)


def _can_be_public(host: str) -> bool:
    """Return False for an address outside of the public internet, and for `localhost`.

    `localhost` and all names below it are this machine (RFC 6761, 6.3).
    """
    try:
        return is_public(ip_address(host))
    except ValueError:
        return host.lower().rstrip(".").rpartition(".")[2] != "localhost"


def send(job: Job, post: Post, *, now_us: Instant) -> bool:
    """Send the notification of a job that has ended; return whether the client accepted it."""
    if job.notification is None:
        return True
    body = ended_event(job, now_us=now_us)
    headers = signed_headers(f"{job.job_id}_ended", body, job.notification.secret, now_us=now_us)
    try:
        return post(job.notification.url, body, headers) in ACCEPTED
    except FetchError:
        return False


def ended_event(job: Job, *, now_us: Instant) -> bytes:
    """Return the notification's body: the event's type, the time of the end, and the job."""
    document = {
        "type": ENDED,
        "timestamp": rfc3339(job.ended_us or now_us),
        "data": job_document(job, now_us=now_us),
    }
    return json.dumps(document).encode()


def signed_headers(
    message_id: str, body: bytes, secret: str, *, now_us: Instant
) -> Mapping[str, str]:
    """Return the headers of a message, with its signature: HMAC-SHA256 over id, time and body.

    The id is the same in each attempt, so that a client can recognise a repeated notification.
    """
    timestamp = str(now_us // SECOND_US)
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
