"""TLS in a fetch: the certificate must be for the host's name."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.fetching.certificates import tls_for
from tests.integration.fetching.fetchers import HOST, Names, fetcher, png
from tests.integration.fetching.image_host import (
    ImageHost,
    image_host,
    response,
    sends,
)

from blur.fetching.errors import DownloadError


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[ImageHost, Callable[[], ssl.SSLContext]]]:
    server, client = tls_for(HOST, tmp_path)
    with image_host(sends(response(png())), tls=server) as host:
        yield host, lambda: client


def test_tls_uses_the_name_of_the_host_and_not_its_address(
    tls: tuple[ImageHost, Callable[[], ssl.SSLContext]],
) -> None:
    host, context = tls
    assert fetcher(host, new_tls_context=context)(host.url(scheme="https")) == png()
    assert host.server_names == [HOST]


def test_a_certificate_for_another_name_is_rejected(
    tls: tuple[ImageHost, Callable[[], ssl.SSLContext]],
) -> None:
    host, context = tls
    names = Names({"other.example": [["127.0.0.1"]]})
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetcher(host, names, new_tls_context=context)(
            host.url(scheme="https", host="other.example")
        )
    assert not host.heads


def test_a_certificate_from_an_unknown_authority_is_rejected(
    tls: tuple[ImageHost, Callable[[], ssl.SSLContext]],
) -> None:
    host, _ = tls
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetcher(host)(host.url(scheme="https"))
    assert not host.heads
