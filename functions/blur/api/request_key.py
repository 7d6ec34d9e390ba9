"""The API key of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.accounts import keys
from blur.api.removebg.paths import key_header

if TYPE_CHECKING:
    from blur.accounts.keys import ApiKey
    from blur.api.request import HttpRequest


def request_key(request: HttpRequest) -> ApiKey:
    """Return the parsed API key of a request; the path determines which header contains the key.

    Raises:
        InvalidApiKeyError: the header is missing or malformed.

    """
    key = keys.parse(request.headers.get(key_header(request.path).lower(), ""))
    request.measured.key = key
    return key
