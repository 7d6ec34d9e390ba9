from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from blur_client import Client, ConnectionFailedError, RetryPolicy

CLIENT = Path(__file__).parents[3] / "tools" / "blur_client"
HEAVY = {"blur", "bgblur", "numpy", "onnxruntime", "PIL", "click"}


@pytest.mark.parametrize(
    "url",
    [
        *("api.example.com", "", "ftp://api.example.com", "http://", "http:///path", "http://@"),
        *("http://[::1", "http://[::1]x", "http://127.0.0.1:99999", "http://127.0.0.1:port"),
        *("http://a..example.com", f"http://{'a' * 64}.example.com", "http://.example.com"),
        *("http://two words", "http://%", "http://*.example.com", "http://\u200d"),
    ],
)
def test_an_invalid_server_url_is_rejected(url: str) -> None:
    message = re.escape(f"must start with https:// or http:// and a valid host, not {url!r}")
    with pytest.raises(ValueError, match=message):
        Client(url, "bb_live_key")


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:8080", "http://[::1]:8080", "https://api.example.com/base/"),
        *("http://[fe80::1%25eth0]", "https://münchen.example", "http://localhost:"),
    ],
)
def test_a_server_url_can_have_a_port_a_path_and_any_kind_of_host(url: str) -> None:
    Client(url, "bb_live_key").close()


@pytest.mark.parametrize("key", ["", " bb_live_key", "bb_live_key\n", "bb_live_schlüssel"])
def test_an_invalid_key_is_rejected_with_a_message_that_does_not_contain_the_key(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as error:
        Client("https://api.example.com", key)
    assert "bb_live" not in str(error.value)


@pytest.mark.parametrize("key", [" a", "a\nb", "schlüssel", "x" * 256])
def test_an_invalid_idempotency_key_is_rejected_before_anything_is_sent(key: str) -> None:
    with (
        Client("http://127.0.0.1:9", "k") as client,
        pytest.raises(ValueError, match="idempotency_key must be"),
    ):
        client.blur(b"photo", radius=1, idempotency_key=key)


@pytest.mark.parametrize(
    ("variable", "value", "server", "reason"),
    [
        ("REQUESTS_CA_BUNDLE", "missing.pem", "https://127.0.0.1", "no secure connection to"),
        ("CURL_CA_BUNDLE", "missing.pem", "https://127.0.0.1", "no secure connection to"),
        ("http_proxy", "http://127.0.0.1:{port}", "http://api.example", "through the proxy"),
        ("https_proxy", "http://127.0.0.1:{port}", "https://api.example", "through the proxy"),
        ("http_proxy", "http://[::1", "http://api.example", "the address of the proxy"),
    ],
)
def test_the_error_for_a_wrong_environment_variable_names_the_server_or_the_proxy(
    variable: str, value: str, server: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(each, raising=False)
    with (
        socket.socket() as closed,
        Client(server, "k", retry_policy=RetryPolicy(retries=0)) as client,
    ):
        closed.bind(("127.0.0.1", 0))  # nothing listens at this port
        monkeypatch.setenv(variable, value.format(port=closed.getsockname()[1]))
        with pytest.raises(ConnectionFailedError, match=reason) as raised:
            client.account()
    assert value == "http://[::1" or server in str(raised.value)
