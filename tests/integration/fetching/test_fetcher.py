"""Fetch images from a real server on loopback; the tests allow its address and its port."""

from __future__ import annotations

import gzip
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from tests.integration.fetching.certificates import tls_for
from tests.integration.fetching.image_host import (
    ImageHost,
    image_host,
    redirects,
    response,
    sends,
)

from blur.fetching.errors import (
    DownloadError,
    DownloadTooLargeError,
    InvalidUrlError,
    NotAnImageError,
)
from blur.fetching.fetcher import MAX_REDIRECTS, ImageFetcher
from blur.imaging.decode.formats import is_supported

if TYPE_CHECKING:
    from blur.fetching.addresses import IPAddress

MAX_BYTES = 500_000
HOST = "images.example"


def png(side_px: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side_px, side_px), "green").save(buffer, "PNG")
    return buffer.getvalue()


class Names:
    """A name server with a list of answers for each name; the last one is repeated."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def resolve(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        answers = self.answers.get(host)
        if not answers:
            message = "unknown name"
            raise socket.gaierror(message)
        return answers.pop(0) if len(answers) > 1 else answers[0]


def is_loopback_1(address: IPAddress) -> bool:
    """Allow one address of loopback, as if it were public; 127.0.0.2 is the internal network."""
    return address == ip_address("127.0.0.1")


def fetcher(
    host: ImageHost,
    names: Names | None = None,
    **options: Any,  # noqa: ANN401 - the arguments of ImageFetcher
) -> ImageFetcher:
    names = names or Names({HOST: [["127.0.0.1"]]})
    defaults: dict[str, Any] = {
        "is_image": is_supported,
        "max_bytes": MAX_BYTES,
        "timeout_s": 60.0,
        "resolve": names.resolve,
        "is_allowed": is_loopback_1,
        "ports": {host.port},
    }
    return ImageFetcher(**defaults | options)


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


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_unknown_and_internal_names_get_the_same_error() -> None:
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
def test_the_real_look_up_rejects_internal_hosts(host_text: str) -> None:
    with (
        image_host(sends(response(png()))) as host,
        pytest.raises(InvalidUrlError, match="not on the public internet"),
    ):
        ImageFetcher(is_image=is_supported, max_bytes=MAX_BYTES, ports={host.port})(
            host.url(host=host_text)
        )
    assert not host.heads


def test_the_next_address_is_used_if_the_first_one_cannot_be_reached() -> None:
    names = Names({HOST: [["127.0.0.2", "127.0.0.1"]]})
    with image_host(sends(response(png()))) as host:
        fetch = fetcher(host, names, is_allowed=lambda _: True)
        assert fetch(host.url()) == png()


def test_a_host_that_cannot_be_reached_is_an_error() -> None:
    with image_host(sends()) as host:
        url = host.url()
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetcher(host)(url)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
def test_a_redirect_is_followed(status: str) -> None:
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


def test_each_redirect_is_looked_up_and_checked_again() -> None:
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
def test_a_redirect_to_an_internal_address_is_not_followed(location: str) -> None:
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


def test_a_name_that_changes_between_redirects_is_rejected() -> None:
    names = Names({HOST: [["127.0.0.1"], ["127.0.0.2"]]})
    with image_host(redirects(lambda path: path + "a")) as host:
        with pytest.raises(InvalidUrlError, match="not on the public internet"):
            fetcher(host, names)(host.url())
        assert len(host.heads) == 1


def test_a_loop_of_redirects_ends() -> None:
    with image_host(redirects(lambda path: path)) as host:
        with pytest.raises(DownloadError, match="redirects more than 3 times"):
            fetcher(host)(host.url())
        assert len(host.heads) == 1 + MAX_REDIRECTS


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
def test_a_file_that_is_too_large_is_not_read_to_its_end(parts: tuple[bytes, ...]) -> None:
    with (
        image_host(sends(*parts)) as host,
        pytest.raises(DownloadTooLargeError, match="more than 500,000 bytes"),
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
def test_only_an_image_is_accepted(body: bytes, headers: list[str]) -> None:
    with image_host(sends(response(body, headers=headers))) as host:
        with pytest.raises(NotAnImageError) as caught:
            fetcher(host)(host.url())
        assert "secret" not in str(caught.value)


def test_a_file_that_is_not_an_image_is_not_read_to_its_end() -> None:
    def reply(connection: socket.socket, _path: str) -> None:
        connection.sendall(response(b"", length=False) + 1000 * b"text ")
        while True:  # until the fetcher closes the connection
            connection.sendall(65_536 * b"x")

    with image_host(reply) as host, pytest.raises(NotAnImageError):
        fetcher(host, max_bytes=10**12)(host.url())


def test_an_image_with_another_content_type_is_accepted() -> None:
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
        "half a head",
        "half a file",
        "bad chunk",
        "many headers",
        "long header",
        "ssh",
        "tls",
        "zeros",
    ],
)
def test_a_server_that_sends_no_complete_response_is_an_error(parts: tuple[bytes, ...]) -> None:
    with image_host(sends(*parts)) as host, pytest.raises(DownloadError):
        fetcher(host)(host.url("/?signature=secret"))


def test_a_url_is_never_logged(capfd: pytest.CaptureFixture[str]) -> None:
    bad_headers = b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 3\r\n\r\nabc"
    with image_host(sends(bad_headers)) as host, pytest.raises(DownloadError) as caught:
        fetcher(host)(host.url("/?signature=secret"))
    assert "secret" not in str(caught.value)
    assert "secret" not in "".join(capfd.readouterr())


def drips(start: bytes, forever: bytes) -> Callable[[socket.socket, str], None]:
    """Return a reply that sends one byte in each tenth of a second, without an end."""

    def reply(connection: socket.socket, _path: str) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(forever)
            time.sleep(0.1)

    return reply


@pytest.mark.parametrize(
    ("start", "forever"),
    [
        (b"HTTP/1.1 200 OK\r\nA: ", b"b"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + png(), b"\0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n"),
    ],
    ids=["header", "100 Continue", "file", "chunk size", "trailers"],
)
def test_a_slow_server_is_abandoned_at_the_time_limit(start: bytes, forever: bytes) -> None:
    with image_host(drips(start, forever)) as host:
        started_s = time.monotonic()
        with pytest.raises(DownloadError, match=r"not downloaded within 0\.5 seconds"):
            fetcher(host, timeout_s=0.5)(host.url())
        assert time.monotonic() - started_s >= 0.5
        wait_for(lambda: host.open_connections == 0)
    wait_for(lambda: not fetch_threads())


def test_a_server_that_does_not_answer_the_tls_handshake_is_abandoned_at_the_time_limit(
    tmp_path: Path,
) -> None:
    _, client = tls_for(HOST, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = ImageHost(silent.getsockname()[1])
        fetch = fetcher(host, timeout_s=0.5, new_tls_context=lambda: client)
        with pytest.raises(DownloadError):
            fetch(host.url(scheme="https"))
        wait_for(lambda: not fetch_threads())


def test_a_slow_tls_handshake_is_abandoned_at_the_time_limit(tmp_path: Path) -> None:
    _, client = tls_for(HOST, tmp_path)
    is_closed = threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with suppress(OSError), connection:
            connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # of a message of 16 kB
            while True:
                connection.sendall(b"\0")
                time.sleep(0.1)
        is_closed.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, daemon=True).start()
        host = ImageHost(listening.getsockname()[1])
        fetch = fetcher(host, timeout_s=0.5, new_tls_context=lambda: client)
        with pytest.raises(DownloadError):
            fetch(host.url(scheme="https"))
        wait_for(is_closed.is_set)
    wait_for(lambda: not fetch_threads())


def test_a_look_up_that_does_not_end_is_abandoned_at_the_time_limit() -> None:
    is_over = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        is_over.wait(60)
        return ["127.0.0.1"]

    with image_host(sends(response(png()))) as host:
        with pytest.raises(DownloadError, match=r"not downloaded within 0\.5 seconds"):
            fetcher(host, timeout_s=0.5, resolve=resolve)(host.url())
        is_over.set()
        wait_for(lambda: not fetch_threads())


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[ImageHost, Callable[[], ssl.SSLContext]]]:
    server, client = tls_for(HOST, tmp_path)
    with image_host(sends(response(png())), tls=server) as host:
        yield host, lambda: client


def test_tls_uses_the_name_of_the_host_and_not_the_pinned_address(
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


def test_a_certificate_of_an_unknown_authority_is_rejected(
    tls: tuple[ImageHost, Callable[[], ssl.SSLContext]],
) -> None:
    host, _ = tls
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetcher(host)(host.url(scheme="https"))
    assert not host.heads


def fetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "fetch"]


def wait_for(is_true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
