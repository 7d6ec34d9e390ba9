"""Calls through the whole handler while the store is unreachable."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from events import make

from bgblur.serving.proxy_events import InvocationContext
from blur.app import build_app
from blur.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MAX_S = 2.5
"""The store's timeout of two seconds, and half a second more for a busy machine."""


def test_a_call_during_an_outage_gets_503_within_the_timeout(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "local")
    settings = Settings(accounts="dynamodb:nowhere", model_dir=model_dir)
    handler = build_app(settings, logger=Logger(service="outage"))
    started = time.monotonic()
    response = handler(make.blur(), InvocationContext())
    assert time.monotonic() - started < MAX_S
    assert response["statusCode"] == 503
    error = json.loads(response["body"])["error"]
    assert error["code"] == "temporarily_unavailable"
    assert response["multiValueHeaders"]["Retry-After"] == [str(error["retry_after"])]
    assert response["multiValueHeaders"]["X-Credits-Charged"] == ["0"]
