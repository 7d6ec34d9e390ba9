"""Sends requests as clients do: again while the account store cannot be reached.

DynamoDB Local on a busy machine can take longer than the server waits for it.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

RETRY_S = 60


def until_available(send: Callable[[], requests.Response]) -> requests.Response:
    """Send a request; after a 503 of the store, wait for the seconds in `Retry-After` and repeat.

    After `RETRY_S` seconds, return the 503.
    """
    deadline = time.monotonic() + RETRY_S
    while is_unavailable(response := send()) and time.monotonic() < deadline:
        time.sleep(int(response.headers["Retry-After"]))
    return response


def is_unavailable(response: requests.Response) -> bool:
    """Return whether the response is the 503 for a store that the server cannot reach."""
    if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
        return False
    return bool(response.json()["error"]["code"] == "temporarily_unavailable")
