"""POST requests to a real server on loopback. No other address or port is allowed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.integration.fetching.certificates import tls_for
from tests.integration.fetching.fetchers import HOST, Names, connections
from tests.integration.fetching.image_host import ImageHost, image_host, response, sends

from blur.fetching.errors import DownloadError, InvalidUrlError
from blur.fetching.poster import Poster

BODY = b'{"type": "job.ended"}'


def poster(host: ImageHost, names: Names | None = None, *, timeout_s: float = 60.0) -> Poster:
    return Poster(connections(host, names), timeout_s=timeout_s)


def test_the_request_has_the_given_body_and_headers_but_no_credentials() -> None:
    with image_host(sends(response(status="204 No Content", length=False))) as host:
        status = poster(host)(host.url("/ended?x=1"), BODY, {"webhook-id": "1"})
    assert status == 204
    lines = host.heads[0].rstrip().split("\r\n")
    assert lines[0] == "POST /ended?x=1 HTTP/1.1"
    assert sorted(lines[1:]) == [
        "Accept-Encoding: identity",
        "Connection: close",
        f"Content-Length: {len(BODY)}",
        f"Host: {HOST}:{host.port}",
        "User-Agent: background-blur",
        "webhook-id: 1",
    ]
    assert host.bodies == [BODY]


def test_a_redirect_is_returned_and_not_followed() -> None:
    headers = ["Location: http://127.0.0.1/"]
    with image_host(sends(response(status="302 Found", headers=headers))) as host:
        assert poster(host)(host.url(), BODY, {}) == 302
    assert len(host.heads) == 1


def test_the_body_of_the_response_is_not_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"
    with image_host(sends(head)) as host:
        assert poster(host)(host.url(), BODY, {}) == 200


def test_host_is_looked_up_once_so_a_later_internal_address_is_never_used() -> None:
    names = Names({HOST: [["127.0.0.1"], ["127.0.0.2"]]})
    with (
        image_host(sends(response())) as host,
        image_host(sends(response()), address="127.0.0.2") as internal,
    ):
        assert poster(host, names)(host.url(), BODY, {}) == 200
        with pytest.raises(InvalidUrlError, match="not on the public internet"):
            poster(host, names)(host.url(), BODY, {})
    assert not internal.heads


def test_a_notification_to_an_internal_address_is_rejected_by_default() -> None:
    with (
        image_host(sends(response())) as host,
        pytest.raises(InvalidUrlError),
    ):
        Poster()(host.url(host="127.0.0.1"), BODY, {})
    assert not host.heads


@pytest.mark.parametrize("reply", [b"", b"no HTTP\r\n\r\n", b"HTTP/1.1 2"])
def test_empty_invalid_or_incomplete_response_is_a_download_error(reply: bytes) -> None:
    with image_host(sends(reply)) as host, pytest.raises(DownloadError):
        poster(host)(host.url(), BODY, {})


def test_request_to_a_closed_port_is_a_download_error() -> None:
    with image_host(sends(response())) as host:
        pass
    with pytest.raises(DownloadError, match="cannot be reached"):
        poster(host)(host.url(), BODY, {})


def test_request_to_a_silent_server_is_a_download_error_after_the_time_limit() -> None:
    def stays_silent(connection: socket.socket, _path: str) -> None:
        connection.recv(65_536)

    with (
        image_host(stays_silent) as host,
        pytest.raises(DownloadError, match=r"did not respond within|cannot be reached"),
    ):
        poster(host, timeout_s=0.5)(host.url(), BODY, {})


def test_tls_verifies_the_name_of_the_host(tmp_path: Path) -> None:
    server, client = tls_for(HOST, tmp_path)
    names = Names({HOST: [["127.0.0.1"]], "other.example": [["127.0.0.1"]]})
    with image_host(sends(response()), tls=server) as host:
        post = Poster(connections(host, names, new_tls_context=lambda: client))
        assert post(host.url(scheme="https"), BODY, {}) == 200
        with pytest.raises(DownloadError):
            post(host.url(scheme="https", host="other.example"), BODY, {})
    assert host.server_names[0] == HOST
    assert len(host.heads) == 1
