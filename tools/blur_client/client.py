"""The client of the API."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin

from blur_client.attempts import Attempts
from blur_client.call import BlurCall, BlurRequest
from blur_client.form import set_fields
from blur_client.jobs import Jobs
from blur_client.responses import json_object, parse_account, parse_document, parse_error
from blur_client.retry_policy import RetryPolicy
from blur_client.source import Photo
from blur_client.transport import Transport
from blur_client.urls import is_address

if TYPE_CHECKING:
    from blur_client.attempts import OnWait
    from blur_client.form import OnUpload
    from blur_client.responses import Account, BlurResult
    from blur_client.source import PhotoInput

ACCOUNT_PATH = "v2/account"
USER_AGENT = "blur-client"
UPLOAD_ABOVE_BYTES = 4_000_000
"""Larger photos are uploaded first, because Lambda's limit of 6 MB includes base64 and headers."""
TIMEOUT_S = (10.0, 60.0)
_IDEMPOTENCY_KEY = re.compile("[!-~]{1,255}")


class Client:
    """A client of one API with one key. Threads can share it.

    Each thread has its own connections, so two threads never use one socket. `close`, or the end
    of a `with` block, closes the connections of all threads.
    """

    def __init__(  # noqa: PLR0913 - only two arguments are required
        self,
        url: str,
        key: str,
        *,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        retry_policy: RetryPolicy | None = None,
        upload_above_bytes: int = UPLOAD_ABOVE_BYTES,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Prepare a client for the API at `url`, such as `https://api.example.com`.

        `timeout_s` has the time limits for a connection and for each wait for data. `sleep` waits
        between attempts; `jitter` returns a random number, 0 to 1, that varies the waiting times.

        Raises:
            ValueError: `url` is not a valid http(s) address, or `key` cannot be an API key.

        """
        if not is_address(url):
            must = "must start with https:// or http:// and a valid host"
            message = f"the address of the API {must}, not {url!r}"
            raise ValueError(message)
        if not (key.isascii() and key.isprintable() and key.strip() == key and key):
            message = "the API key is empty, or has characters that a key cannot have"
            raise ValueError(message)
        self._url = url.rstrip("/") + "/"
        self._transport = Transport(key, timeout_s=timeout_s, user_agent=USER_AGENT)
        self._upload_above_bytes = upload_above_bytes
        self._attempts = Attempts(retry_policy or RetryPolicy(), sleep, jitter)
        self.jobs = Jobs(self._transport, self._url, self._attempts)
        """Bulk jobs: many photos with the same parameters."""

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections of every thread."""
        self._transport.close()

    def blur(  # noqa: PLR0913 - has one argument for each field of the contract
        self,
        source: PhotoInput,
        *,
        radius: int | str,
        blur: str | None = None,
        depth: str | None = None,
        roi: str | None = None,
        subject: str | None = None,
        mode: str | None = None,
        format: str | None = None,  # noqa: A002 - the field has this name in the contract
        quality: int | None = None,
        idempotency_key: str | None = None,
        on_upload: OnUpload | None = None,
        on_wait: OnWait | None = None,
    ) -> BlurResult:
        """Blur the background of one photo: a path, a file's bytes, or an open binary file.

        `radius` is in pixels, or a text such as "2%" for a percentage of the photo's longer side.
        A parameter that is None has the API's default. The call is charged once, because all
        attempts send the same idempotency key. Pass your own `idempotency_key` to repeat the call
        after a restart of your program.

        Raises:
            ApiError: the API responded with an error; `errors` has a class for each code.
            ConnectionFailedError: no response was received, after all retries.
            SourceChangedError: the file became shorter while it was being sent.
            ValueError: `idempotency_key` is not 1 to 255 visible ASCII characters.
            OSError: the file cannot be read.

        """
        fields = set_fields(
            radius=radius,
            blur=blur,
            depth=depth,
            roi=roi,
            subject=subject,
            mode=mode,
            format=format,
            quality=quality,
        )
        if idempotency_key and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
            message = "idempotency_key must be 1 to 255 visible ASCII characters"
            raise ValueError(message)
        photo = Photo(source)
        request = BlurRequest(
            photo=photo,
            fields=fields,
            idempotency_key=idempotency_key or uuid.uuid4().hex,
            on_upload=on_upload,
        )
        by_upload = photo.size_bytes > self._upload_above_bytes
        call = BlurCall(self._transport, self._url, request, by_upload=by_upload)
        return self._attempts.run(call.attempt, on_wait)

    def account(self) -> Account:
        """Return the key's account. This call is free.

        Raises:
            ApiError, ConnectionFailedError: as for `blur`.

        """
        return self._attempts.run(self._account)

    def _account(self) -> Account:
        response = self._transport.send_to_api("GET", urljoin(self._url, ACCOUNT_PATH))
        if response.status_code != HTTPStatus.OK or "account_id" not in json_object(response):
            raise parse_error(response)
        return parse_document(response, parse_account)
