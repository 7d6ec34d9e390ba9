"""The client: photos in, blurred photos out."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urljoin

from blur_client.answers import json_object, to_account, to_error
from blur_client.call import Call, Order
from blur_client.errors import BlurClientError
from blur_client.patience import Patience
from blur_client.source import Photo
from blur_client.transport import Transport

if TYPE_CHECKING:
    from blur_client.answers import Account, Blurred
    from blur_client.form import OnUpload
    from blur_client.source import Source

OnWait = Callable[[float, BlurClientError], None]
"""Called with the seconds until the next attempt, and with what the last one ended in."""
Answer = TypeVar("Answer")

ACCOUNT_PATH = "v2/account"
USER_AGENT = "blur-client"
UPLOAD_ABOVE_BYTES = 4_000_000
"""Above this, the photo takes the upload route: base64 of more may not fit into Lambda's 6 MB."""
TIMEOUT_S = (10.0, 60.0)


class Client:
    """A client of one API with one key. Threads may share it.

    Each thread gets connections of its own, so that threads that blur at one time never
    share a socket. `close`, or the end of a `with`, closes them all.
    """

    def __init__(  # noqa: PLR0913 - two are needed, the others have good defaults
        self,
        url: str,
        key: str,
        *,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        patience: Patience | None = None,
        upload_above_bytes: int = UPLOAD_ABOVE_BYTES,
        sleep: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Prepare a client of the API at `url`, such as `https://api.example.com`.

        `timeout_s` are the longest waits for a connection and for an answer. `sleep` waits
        between attempts, and `chance`, 0 to 1, spreads them.

        Raises:
            ValueError: `url` is no http(s) address, or `key` cannot be an API key.

        """
        if not url.startswith(("http://", "https://")):
            message = f"the API's address begins with https:// or http://, unlike {url!r}"
            raise ValueError(message)
        if not (key.isascii() and key.isprintable() and key.strip() == key and key):
            message = "the API key is empty, or has characters that no key has"
            raise ValueError(message)
        self._url = url.rstrip("/") + "/"
        self._transport = Transport(key, timeout_s=timeout_s, user_agent=USER_AGENT)
        self._patience = patience or Patience()
        self._upload_above_bytes = upload_above_bytes
        self._sleep = sleep
        self._chance = chance

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

    def blur(  # noqa: PLR0913 - the contract's fields
        self,
        source: Source,
        *,
        radius: int,
        blur: str | None = None,
        mode: str | None = None,
        format: str | None = None,  # noqa: A002 - the contract's name
        quality: int | None = None,
        idempotency_key: str | None = None,
        on_upload: OnUpload | None = None,
        on_wait: OnWait | None = None,
    ) -> Blurred:
        """Blur the background of one photo: a path, a file's bytes, or an open binary file.

        What is None is left to the service. However many attempts it takes, the call is
        charged once: all carry one idempotency key. It is a random one, or yours if the same
        call may have to be repeated after this process has ended.

        Raises:
            ApiError: the service refused; there is a class in `errors` for each code.
            ConnectionFailedError: no answer came, after every retry.
            OSError: the file cannot be read.

        """
        given = {"blur": blur, "mode": mode, "format": format, "quality": quality}
        fields = {name: str(value) for name, value in given.items() if value is not None}
        photo = Photo(source)
        order = Order(
            photo=photo,
            fields={"radius": str(radius), **fields},
            idempotency_key=idempotency_key or uuid.uuid4().hex,
            on_upload=on_upload,
        )
        by_upload = photo.size_bytes > self._upload_above_bytes
        call = Call(self._transport, self._url, order, by_upload=by_upload)
        return self._patiently(call.attempt, on_wait)

    def account(self) -> Account:
        """Return the key's account; free.

        Raises:
            ApiError, ConnectionFailedError: as for `blur`.

        """
        return self._patiently(self._account, None)

    def _account(self) -> Account:
        answer = self._transport.to_api("GET", urljoin(self._url, ACCOUNT_PATH))
        document = json_object(answer)
        if answer.status_code != HTTPStatus.OK or "account_id" not in document:
            raise to_error(answer)
        return to_account(document)

    def _patiently(self, attempt: Callable[[], Answer], on_wait: OnWait | None) -> Answer:
        tried = 0
        while True:
            try:
                return attempt()
            except BlurClientError as error:
                wait_s = self._patience.wait_s(error, tried, self._chance())
                if wait_s is None:
                    raise
                if on_wait is not None:
                    on_wait(wait_s, error)
            self._sleep(wait_s)
            tried += 1
