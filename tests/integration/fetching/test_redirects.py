"""Redirects of a fetch: the fetcher checks each redirect as it checks the first URL."""

from __future__ import annotations

import socket

import pytest
from tests.integration.fetching.fetchers import HOST, Names, fetcher, png
from tests.integration.fetching.image_host import (
    image_host,
    redirects,
    response,
    sends,
)

from blur.fetching.errors import (
    DownloadError,
    InvalidUrlError,
)
from blur.fetching.fetcher import MAX_REDIRECTS


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
def test_fetcher_follows_redirects_of_every_status(status: str) -> None:
    def reply(connection: socket.socket, path: str) -> None:
        reply_ = (
            redirects(lambda _: "/b/c.png", status)
            if path == "/a"
            else sends(response(png()) if path == "/b/c.png" else response(status="404 No"))
        )
        reply_(connection, path)

    with image_host(reply) as host:
        assert fetcher(host)(host.url("/a")) == png()
    assert len(host.heads) == 2


def test_host_of_each_redirect_is_looked_up_and_the_port_is_checked() -> None:
    names = Names({HOST: [["127.0.0.1"]], "other.example": [["127.0.0.1"]]})
    with image_host(sends()) as other:

        def reply(connection: socket.socket, path: str) -> None:
            if path == "/a":
                location = f"http://other.example:{host.port}/b"
                redirects(lambda _: location)(connection, path)
            else:
                connection.sendall(response(png()))

        with image_host(reply) as host:
            assert fetcher(host, names)(host.url("/a")) == png()
            assert names.asked == [HOST, "other.example"]
            with pytest.raises(InvalidUrlError, match="port"):
                fetcher(host, ports={other.port})(host.url("/a"))


INWARD = [
    "http://127.0.0.2:{port}/latest/meta-data/",
    "//127.0.0.2:{port}/",
    "http://internal.example:{port}/",
    "http://images.example:22/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.2]:{port}/",
    "http://2130706434:{port}/",
    "http://user:secret@images.example:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.2:{port}/",
    "http://[",
]


@pytest.mark.parametrize("location", INWARD)
def test_redirect_to_a_url_that_is_internal_or_invalid_is_not_followed(location: str) -> None:
    names = Names(
        {
            HOST: [["127.0.0.1"]],
            "internal.example": [["127.0.0.2"]],
            "127.0.0.2": [["127.0.0.2"]],
            "::1": [["::1"]],
            "::ffff:7f00:2": [["::ffff:127.0.0.2"]],
        }
    )

    def reply(connection: socket.socket, path: str) -> None:
        redirects(lambda _: location.format(port=host.port))(connection, path)

    with image_host(reply) as host, pytest.raises(InvalidUrlError):
        fetcher(host, names)(host.url())
    assert len(host.heads) == 1


def test_redirect_is_not_followed_if_its_host_now_has_an_internal_address() -> None:
    names = Names({HOST: [["127.0.0.1"], ["127.0.0.2"]]})
    with image_host(redirects(lambda path: path + "a")) as host:
        with pytest.raises(InvalidUrlError, match="not on the public internet"):
            fetcher(host, names)(host.url())
        assert len(host.heads) == 1


def test_loop_of_redirects_is_an_error_after_three_redirects() -> None:
    with image_host(redirects(lambda path: path)) as host:
        with pytest.raises(DownloadError, match="redirects more than 3 times"):
            fetcher(host)(host.url())
        assert len(host.heads) == 1 + MAX_REDIRECTS
