"""URL-encoded bodies are decoded as in the standard library, but with limited memory."""

from __future__ import annotations

import tracemalloc
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.api.removebg.urlencoded import parse_pairs, unquote

ESCAPES = st.lists(st.sampled_from([b"%", b"%4", b"%41", b"%fF", b"%%", b"%g1", b"4", b" "]))


@given(text=st.binary() | ESCAPES.map(b"".join))
def test_any_text_is_decoded_as_in_the_standard_library(text: bytes) -> None:
    assert unquote(text) == unquote_to_bytes(text)


@given(pairs=st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=9))
def test_decoding_restores_the_encoded_names_and_values(pairs: list[tuple[str, str]]) -> None:
    body = urlencode(pairs)
    assert parse_pairs(body.encode(), max_fields=9) == pairs
    assert parse_qsl(body, keep_blank_values=True) == pairs


def test_pairs_with_empty_names_or_empty_values_or_invalid_escapes_are_kept_and_counted() -> None:
    body = b"a=1=2&b&=c&&d=%zz%f&e=\xff%C3%a4+%2B"
    expected = [("a", "1=2"), ("b", ""), ("", "c"), ("", ""), ("d", "%zz%f"), ("e", "\ufffdä +")]
    assert parse_pairs(body, max_fields=6) == expected
    with pytest.raises(ValueError, match="more than 5"):
        parse_pairs(body, max_fields=5)


@pytest.mark.parametrize("escape", [b"%41", b"%ff", b"%", b"%4", b"a"])
def test_decoding_needs_less_than_12_times_the_memory_of_the_body(escape: bytes) -> None:
    body = b"x=" + escape * 500_000
    tracemalloc.start()
    try:
        parse_pairs(body, max_fields=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * len(body)
