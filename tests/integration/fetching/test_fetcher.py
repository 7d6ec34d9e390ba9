"""Images are fetched from a real server on loopback. No other address or port is allowed."""

from __future__ import annotations

import gzip
import socket

import pytest
from tests.integration.fetching.fetchers import HOST, MAX_BYTES, Names, fetcher, png
from tests.integration.fetching.image_host import (
    image_host,
    response,
    sends,
)

from blur.fetching.connections import Connections
from blur.fetching.errors import (
    DownloadError,
    DownloadTooLargeError,
    InvalidUrlError,
    NotAnImageError,
)
from blur.fetching.fetcher import ImageFetcher
from blur.imaging.decode.formats import is_supported


def test_the_image_at_a_url_is_returned_and_the_request_has_no_credentials() -> None:
    with image_host(sends(response(png()))) as host:
        assert fetcher(host)(host.url("/a%20b.png?c=d")) == png()
    lines = host.heads[0].rstrip().split("\r\n")
    assert lines[0] == "GET /a%20b.png?c=d HTTP/1.1"
    assert sorted(lines[1:]) == [
        "Accept-Encoding: identity",
        "Accept: image/*",
        "Connection: close",
        f"Host: {HOST}:{host.port}",
        "User-Agent: background-blur",
    ]


def test_proxies_in_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with image_host(sends(response(png()))) as host:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, "http://user:secret@127.0.0.9:9")
        assert fetcher(host)(host.url()) == png()


def test_a_host_is_looked_up_once_so_a_later_internal_address_is_never_used() -> None:
    names = Names({HOST: [["127.0.0.1"], ["127.0.0.2"]]})
    with (
        image_host(sends(response(png()))) as host,
        image_host(sends(response(png())), address="127.0.0.2") as internal,
    ):
        assert fetcher(host, names)(host.url()) == png()
        assert names.asked == [HOST]
        assert not internal.heads
        with pytest.raises(InvalidUrlError, match="not on the public internet"):
            fetcher(host, names)(host.url())
    assert not internal.heads


def test_a_host_with_one_internal_address_is_rejected() -> None:
    names = Names({HOST: [["127.0.0.1", "127.0.0.2"]]})
    with (
        image_host(sends(response(png()))) as host,
        pytest.raises(InvalidUrlError, match="not on the public internet"),
    ):
        fetcher(host, names)(host.url())
    assert not host.heads


def test_unknown_and_internal_host_names_get_the_same_error() -> None:
    messages = set()
    names = Names({"internal.example": [["127.0.0.2"]], "nothing.example": [[]]})
    with image_host(sends(response(png()))) as host:
        for name in ("internal.example", "nothing.example", "unknown.example", "a" * 70):
            with pytest.raises(InvalidUrlError) as caught:
                fetcher(host, names)(host.url(host=name))
            messages.add(str(caught.value))
    assert len(messages) == 1


@pytest.mark.parametrize(
    "host_text",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.1"],
)
def test_fetcher_with_default_settings_rejects_internal_hosts(host_text: str) -> None:
    with (
        image_host(sends(response(png()))) as host,
        pytest.raises(InvalidUrlError, match="not on the public internet"),
    ):
        ImageFetcher(Connections(ports={host.port}), is_image=is_supported, max_bytes=MAX_BYTES)(
            host.url(host=host_text)
        )
    assert not host.heads


def test_the_second_address_of_a_host_is_used_if_the_first_address_cannot_be_reached() -> None:
    names = Names({HOST: [["127.0.0.2", "127.0.0.1"]]})
    with image_host(sends(response(png()))) as host:
        fetch = fetcher(host, names, is_allowed=lambda _: True)
        assert fetch(host.url()) == png()


def test_host_that_cannot_be_reached_is_a_download_error() -> None:
    with image_host(sends()) as host:
        url = host.url()
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetcher(host)(url)


@pytest.mark.parametrize(
    "parts",
    [
        (response(png() + MAX_BYTES * b"\0"),),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\n\r\n" + png(), *(20 * [MAX_BYTES // 10 * b"\0"])),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"%x\r\n%s\r\n" % (len(png()), png()),
            *(20 * [b"%x\r\n%s\r\n" % (MAX_BYTES // 10, MAX_BYTES // 10 * b"\0")]),
        ),
    ],
    ids=["length", "declared length", "until close", "chunked"],
)
def test_the_error_for_a_file_above_the_limit_names_the_limit(parts: tuple[bytes, ...]) -> None:
    with (
        image_host(sends(*parts)) as host,
        pytest.raises(DownloadTooLargeError, match="more than 500000 bytes"),
    ):
        fetcher(host)(host.url())


def test_the_largest_allowed_file_is_returned() -> None:
    file = png() + (MAX_BYTES - len(png())) * b"\0"
    with image_host(sends(response(file))) as host:
        assert fetcher(host)(host.url()) == file


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<html><body>Please log in", ["Content-Type: text/html"]),
        (b"<html><body>Please log in", ["Content-Type: image/png"]),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', ["Content-Type: image/svg+xml"]),
        (b'{"AccessKeyId": "secret"}', ["Content-Type: application/json"]),
        (b"", ["Content-Type: image/png"]),
        (gzip.compress(png()), ["Content-Type: image/png", "Content-Encoding: gzip"]),
    ],
    ids=["html", "html as png", "svg", "json", "empty", "compressed"],
)
def test_response_that_is_not_an_image_is_rejected(body: bytes, headers: list[str]) -> None:
    with image_host(sends(response(body, headers=headers))) as host:
        with pytest.raises(NotAnImageError) as caught:
            fetcher(host)(host.url())
        assert "secret" not in str(caught.value)


def test_a_file_that_is_not_an_image_is_not_read_to_its_end() -> None:
    def reply(connection: socket.socket, _path: str) -> None:
        connection.sendall(response(b"", length=False) + 1000 * b"text ")
        while True:  # ends when the fetcher closes the connection
            connection.sendall(65_536 * b"x")

    with image_host(reply) as host, pytest.raises(NotAnImageError):
        fetcher(host, max_bytes=10**12)(host.url())


def test_an_image_without_an_image_content_type_is_accepted() -> None:
    head = response(png(), headers=["Content-Type: application/octet-stream"])
    with image_host(sends(head)) as host:
        assert fetcher(host)(host.url()) == png()


@pytest.mark.parametrize(
    "parts",
    [
        (response(status="404 Not Found"),),
        (response(png(), status="500 Error"),),
        (response(status="304 Not Modified"),),
        (response(status="302 Found"),),
        (b"HTTP/1.1 206 Partial\r\nContent-Length: 0\r\n\r\n",),
        (),
        (b"HTTP/1.1 200 OK\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + png(),),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",),
        (b"HTTP/1.1 200 OK\r\n" + 200 * b"A: b\r\n" + b"\r\n",),
        (b"HTTP/1.1 200 OK\r\nA: " + 100_000 * b"b" + b"\r\n\r\n",),
        (b"SSH-2.0-OpenSSH_9.6\r\n",),
        (b"\x15\x03\x01\x00\x02\x02\x46",),
        (b"\x00" * 1000,),
    ],
    ids=[
        "404",
        "500",
        "304",
        "302 without location",
        "206",
        "nothing",
        "incomplete head",
        "incomplete file",
        "bad chunk",
        "many headers",
        "long header",
        "ssh",
        "tls",
        "zeros",
    ],
)
def test_response_with_an_error_status_or_an_incomplete_response_is_a_download_error(
    parts: tuple[bytes, ...],
) -> None:
    with image_host(sends(*parts)) as host, pytest.raises(DownloadError):
        fetcher(host)(host.url("/?signature=secret"))


def test_the_signature_in_a_url_is_neither_printed_nor_in_the_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    bad_headers = b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 3\r\n\r\nabc"
    with image_host(sends(bad_headers)) as host, pytest.raises(DownloadError) as caught:
        fetcher(host)(host.url("/?signature=secret"))
    assert "secret" not in str(caught.value)
    assert "secret" not in "".join(capfd.readouterr())
