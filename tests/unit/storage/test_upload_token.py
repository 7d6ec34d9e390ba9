"""Permits to upload, handed out and believed later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.errors import UploadNotFoundError
from blur.storage.upload_token import UploadToken, sign, verify

SECRET = b"secret"
TOKEN = UploadToken("uploads/name", "image/jpeg", 1000, expires_us=50)


def test_a_signed_permit_is_believed_until_it_expires() -> None:
    token = sign(TOKEN, SECRET)
    assert verify(token, SECRET, now_us=49) == TOKEN
    with pytest.raises(UploadNotFoundError):
        verify(token, SECRET, now_us=50)


@given(st.text())
def test_nothing_else_is_believed(token: str) -> None:
    with pytest.raises(UploadNotFoundError):
        verify(token, SECRET, now_us=0)


def test_another_secrets_permit_is_not_believed() -> None:
    with pytest.raises(UploadNotFoundError):
        verify(sign(TOKEN, b"another"), SECRET, now_us=0)
