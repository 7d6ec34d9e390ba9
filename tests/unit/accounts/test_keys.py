import re
import secrets
import zlib
from hashlib import sha256, shake_256
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.accounts.keys import ALPHABET, Entropy, mint, new_account_id, parse
from blur.accounts.model import KeyKind
from blur.errors import InvalidApiKeyError

ACCOUNT = "0aZ9bY8cX7dW"
kinds = st.sampled_from(KeyKind)
secret_bytes = st.binary(min_size=32, max_size=32)


def entropy_of(seed: int) -> Entropy:
    return lambda size: shake_256(bytes([seed])).digest(size)


def key_text(kind: KeyKind = KeyKind.LIVE, secret: bytes = bytes(range(32))) -> str:
    return mint(kind, ACCOUNT, lambda _: secret)


@given(kinds, secret_bytes)
def test_parsing_a_new_key_returns_the_kind_the_account_id_the_digest_and_the_prefix(
    kind: KeyKind, secret: bytes
) -> None:
    text = key_text(kind, secret)
    key = parse(text)
    assert (key.kind, key.account_id) == (kind, ACCOUNT)
    assert key.digest == sha256(text.encode()).hexdigest()
    assert key.prefix == text[: len(f"bb_{kind}_{ACCOUNT}_") + 4]


@given(secret_bytes, secret_bytes)
def test_different_secrets_make_different_keys(one: bytes, other: bytes) -> None:
    assert (key_text(secret=one) == key_text(secret=other)) == (one == other)


def test_the_largest_secret_fits_into_43_characters() -> None:
    text = key_text(secret=b"\xff" * 32)
    number = 0
    for character in text[len(f"bb_live_{ACCOUNT}_") : -6]:
        number = number * 62 + ALPHABET.index(character)
    assert number == 2**256 - 1
    assert len(text) == len(f"bb_live_{ACCOUNT}_") + 43 + 6


def test_the_last_six_characters_of_a_key_are_the_crc32_of_the_characters_before_them() -> None:
    text = key_text()
    number = 0
    for character in text[-6:]:
        number = number * 62 + ALPHABET.index(character)
    assert number == zlib.crc32(text[:-6].encode())


def test_an_account_id_has_twelve_base62_characters_that_depend_only_on_the_entropy() -> None:
    ids = {new_account_id(entropy_of(seed)) for seed in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch("[0-9A-Za-z]{12}", account_id) for account_id in ids)
    assert new_account_id(entropy_of(7)) == new_account_id(entropy_of(7))


def test_an_account_id_is_made_from_128_random_bits_and_a_secret_from_256() -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return secrets.token_bytes(size)

    parse(mint(KeyKind.TEST, new_account_id(entropy), entropy))
    assert asked == [16, 32]


@given(st.text())
def test_a_random_text_is_rejected(text: str) -> None:
    with pytest.raises(InvalidApiKeyError):
        parse(text)


@given(st.integers(0, 69), st.characters())
def test_a_key_with_one_changed_character_is_rejected(at: int, character: str) -> None:
    text = key_text()
    changed = text[:at] + character + text[at + 1 :]
    if changed == text:
        assert parse(changed).account_id == ACCOUNT
        return
    with pytest.raises(InvalidApiKeyError):
        parse(changed)


@given(st.integers(0, 68))
def test_a_key_with_two_adjacent_characters_swapped_is_rejected(at: int) -> None:
    text = key_text()
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    assert (swapped == text) == (text[at] == text[at + 1])
    if swapped != text:
        with pytest.raises(InvalidApiKeyError):
            parse(swapped)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text + "0",
        lambda text: text[:-1],
        lambda text: text.replace("live", "LIVE"),
        lambda text: text.replace("live", "test"),
        lambda text: text.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
        lambda text: text * 2,
        lambda _: "",
    ],
)
def test_a_text_that_is_not_exactly_a_valid_key_is_rejected(spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(InvalidApiKeyError):
        parse(spoil(key_text()))


def test_a_text_of_10_million_characters_is_rejected_in_less_than_half_a_second() -> None:
    text = "bb_live_" + "0" * 10_000_000
    began = perf_counter()
    with pytest.raises(InvalidApiKeyError):
        parse(text)
    assert perf_counter() - began < 0.5


def test_the_repr_of_a_key_does_not_contain_the_text_after_its_prefix() -> None:
    text = key_text()
    key = parse(text)
    hidden = text[len(key.prefix) :]
    assert hidden not in repr(key)
    assert hidden not in str(key)


@pytest.mark.parametrize("account_id", ["", "short", ACCOUNT + "x", "0aZ9bY8cX7d_", ACCOUNT + "\n"])
def test_no_key_is_created_for_an_invalid_account_id(account_id: str) -> None:
    with pytest.raises(ValueError, match="account id"):
        mint(KeyKind.LIVE, account_id, secrets.token_bytes)
