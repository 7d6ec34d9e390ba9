"""Tokens that the server signs for an upload and verifies later."""

from __future__ import annotations

import itsdangerous
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.errors import UploadNotFoundError
from blur.storage.upload_token import UploadToken, sign, verify

OLD, NEW = b"old secret", b"new secret"
TOKEN = UploadToken("uploads/name", "image/jpeg", 1000, expires_us=50)


def test_a_signed_token_is_valid_until_it_expires() -> None:
    signed = sign(TOKEN, [NEW])
    assert verify(signed, [NEW], now_us=49) == TOKEN
    with pytest.raises(UploadNotFoundError):
        verify(signed, [NEW], now_us=50)


@given(st.text())
def test_text_that_the_server_did_not_sign_is_rejected(text: str) -> None:
    with pytest.raises(UploadNotFoundError):
        verify(text, [NEW], now_us=0)


@given(st.data())
def test_a_changed_token_is_not_valid(data: st.DataObject) -> None:
    signed = sign(TOKEN, [NEW])
    at = data.draw(st.integers(0, len(signed) - 1))
    character = data.draw(st.characters(codec="ascii").filter(lambda each: each != signed[at]))
    changed = signed[:at] + character + signed[at + 1 :]
    try:
        token = verify(changed, [NEW], now_us=0)
    except UploadNotFoundError:
        return
    # The last base64 character has two bits that are not part of the signature.
    assert (at, token) == (len(signed) - 1, TOKEN)


def test_a_token_signed_with_another_secret_is_not_valid() -> None:
    with pytest.raises(UploadNotFoundError):
        verify(sign(TOKEN, [OLD]), [NEW], now_us=0)


def test_the_newest_secret_signs_and_older_secrets_are_accepted() -> None:
    assert verify(sign(TOKEN, [OLD]), [OLD, NEW], now_us=0) == TOKEN
    signed = sign(TOKEN, [OLD, NEW])
    assert verify(signed, [NEW], now_us=0) == TOKEN
    with pytest.raises(UploadNotFoundError):
        verify(signed, [OLD], now_us=0)


def test_a_value_that_was_signed_for_another_purpose_is_rejected() -> None:
    other = itsdangerous.URLSafeSerializer(NEW, salt=b"another purpose").dumps(["a", "b", 1, 99])
    with pytest.raises(UploadNotFoundError):
        verify(str(other), [NEW], now_us=0)
