"""Check URLs before a request is sent to them."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import requests


def is_address(url: str) -> bool:
    """Return whether a request can be sent to the URL: over HTTP(S), to a valid host and port."""
    if not url.startswith(("http://", "https://")):
        return False
    try:
        prepared = requests.Request("GET", url).prepare()
        # A connection needs the host in this encoding, but `prepare` does not check ASCII hosts.
        (urlsplit(str(prepared.url)).hostname or "").encode("idna")
    except ValueError:  # includes UnicodeError and the errors of `requests` for URLs
        return False
    return True


def absolute_url(base: str, link: object) -> str:
    """Return the address of a link in a response; the link can be relative to the URL `base`.

    Raises:
        ValueError: no request can be sent to the address.

    """
    if not isinstance(link, str) or not link:
        message = f"{link!r} is not a link"
        raise ValueError(message)
    url = urljoin(base, link)
    if not is_address(url):
        message = f"{link.partition('?')[0]!r} is not a valid link"  # a query can have a signature
        raise ValueError(message)
    return url
