"""Which URLs are accepted, and how they are split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.fetching.errors import InvalidUrlError
from blur.fetching.url_target import MAX_CHARS, Target, parse_target


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("http://a.example", Target("http", "a.example", 80, "/"), "a.example"),
        ("HTTPS://A.Example/b.jpg", Target("https", "a.example", 443, "/b.jpg"), "a.example"),
        (
            "https://a.example:443/b?c=d#e",
            Target("https", "a.example", 443, "/b?c=d"),
            "a.example",
        ),
        (" http://a.example:443/ ", Target("http", "a.example", 443, "/"), "a.example:443"),
        ("http://8.8.8.8/a b", Target("http", "8.8.8.8", 80, "/a%20b"), "8.8.8.8"),
        ("http://[2606:4700::1]/", Target("http", "2606:4700::1", 80, "/"), "[2606:4700::1]"),
        ("http://a.example/ö?ü", Target("http", "a.example", 80, "/%C3%B6?%C3%BC"), "a.example"),
    ],
)
def test_a_url_is_split_into_the_parts_of_a_request(
    url: str, target: Target, authority: str
) -> None:
    assert parse_target(url) == target
    assert target.authority == authority


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "must start with http"),
        ("a.example/b.jpg", "must start with http"),
        ("//a.example/b.jpg", "must start with http"),
        ("http:///b.jpg", "must start with http|malformed"),
        ("http:a.example", "must start with http"),
        ("ftp://a.example/b", "must start with http"),
        ("file:///etc/passwd", "must start with http"),
        ("gopher://127.0.0.1:6379/_x", "must start with http"),
        ("data:image/png;base64,aGk=", "must start with http"),
        ("http://user@a.example/", "must not contain a user name"),
        ("http://user:secret@a.example/", "must not contain a user name"),
        ("http://a.example:22/", "must be one of 80, 443"),
        ("http://a.example:0/", "must be one of 80, 443"),
        ("http://a.example:8080/", "must be one of 80, 443"),
        ("https://a.example:6443/", "must be one of 80, 443"),
        ("http://a.example:99999/", "malformed|must be one of"),
        ("http://a.example:x/", "malformed|must start with"),
        ("http://[::1/", "malformed|not valid|must start with"),
        ("http://[fe80::1%25eth0]/", "not valid"),
        ("http://[v1.a]/", "malformed|not valid|must start with"),
        ("http://2130706433/", "not valid"),
        ("http://017700000001/", "not valid"),
        ("http://0x7f000001/", "not valid"),
        ("http://0x7f.1/", "not valid"),
        ("http://127.1/", "not valid"),
        ("http://0177.0.0.1/", "not valid"),
        ("http://127.0.0.1./", "not valid"),
        ("http://1.2.3.4.5/", "not valid"),
        ("http://a.example/" + MAX_CHARS * "b", "more than 2048 characters"),
    ],
)
def test_an_invalid_or_unsafe_url_is_rejected_with_the_reason(url: str, message: str) -> None:
    with pytest.raises(InvalidUrlError, match=message):
        parse_target(url)


HOSTS = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["a.example", "127.0.0.1", "[::1]", "0x7f.1", "a@b", "a:b@c.example", "[fe80::1%25lo]"]
)


@given(
    st.sampled_from(["http://", "HTTPS://", "http:", "//", "ftp://", ""]),
    HOSTS,
    st.sampled_from(["", ":80", ":443", ":0", ":", ":8080", ":x"]),
    st.text(st.characters(codec="utf-8"), max_size=30),
)
def test_any_text_is_rejected_or_parsed_to_a_target_that_is_valid_in_an_http_request(
    scheme: str, host: str, port: str, rest: str
) -> None:
    try:
        target = parse_target(scheme + host + port + rest)
    except InvalidUrlError:
        return
    assert target.scheme in {"http", "https"}
    assert target.port in {80, 443}
    assert target.path.startswith("/")
    for part in (target.path, target.authority):
        assert not any(character.isspace() or ord(character) < 0x20 for character in part)
        part.encode("ascii")


def test_the_repr_of_a_target_shows_only_the_scheme_of_its_url() -> None:
    assert repr(parse_target("https://a.example/b?signature=secret")) == "<https URL>"


def test_a_redirect_is_resolved_against_the_url_and_its_target_is_checked_too() -> None:
    target = parse_target("https://a.example/b/c.jpg?d")
    assert target.join("e.png") == parse_target("https://a.example/b/e.png")
    assert target.join("//other.example/") == parse_target("https://other.example/")
    for location in ("file:///etc/passwd", "http://user@a.example/", "http://0x7f.1/", "http://[x"):
        with pytest.raises(InvalidUrlError):
            target.join(location)
