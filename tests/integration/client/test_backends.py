"""Calls to an API that the user interrupts.

A call is free if its photo was not sent completely. Otherwise the call is finished and charged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from bgblur.blurring.backends import Interrupted, ProgressCallback, api_backend
from blur_client import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.storage.conftest import Api


def stopping_at(chosen: str) -> ProgressCallback:
    def progress(step: str, _done: float) -> None:
        if step == chosen:
            raise Interrupted

    return progress


def test_a_call_that_is_interrupted_during_its_upload_costs_nothing(
    without_uploads: Api, large_photo: Path
) -> None:
    url, key = without_uploads.server.url, without_uploads.key
    backend = api_backend({"radius": 9}, url, key, threading.Event())
    with Client(url, key) as client:
        before = client.account().balance
        with pytest.raises(Interrupted):
            backend(large_photo, "png", stopping_at("uploading"))
        assert client.account().balance == before


def test_if_a_call_is_interrupted_after_its_upload_the_photo_is_processed_and_charged(
    api: Api, photo: Path, balance: Callable[[], int]
) -> None:
    before = balance()
    backend = api_backend({"radius": 9}, api.server.url, api.key, threading.Event())
    result = backend(photo, "png", stopping_at("blurring"))
    assert result.content_type == "image/png"
    assert result.call["credits_left"] == balance() == before - 1
