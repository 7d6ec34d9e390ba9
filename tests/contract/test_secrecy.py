"""The handler logs neither keys nor photos, even with debug settings or after internal errors."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
from aws_lambda_powertools import Logger
from events import make
from tests.attack.traces import key_forms, photo_forms

from bgblur.serving.proxy_events import InvocationContext
from blur.accounts import keys
from blur.api.blur_request import parse_blur_request
from blur.api.log_values import UNROUTED
from blur.api.request import from_event
from blur.app import build_app
from blur.aws import session
from blur.imaging.results import EncodedImage
from blur.storage.ports import Link, PresignedForm

if TYPE_CHECKING:
    import io

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.settings import Settings

    from .conftest import Call

PHOTO = make.jpeg()


def found_in(text: str) -> set[str]:
    """Return the encodings in which a text contains the key `make.FUNDED` or the photo."""
    forms = {**key_forms([make.FUNDED]), **photo_forms([PHOTO])}
    return {name for name, form in forms.items() if form in text.encode()}


@pytest.mark.filterwarnings("ignore:POWERTOOLS_")
@pytest.mark.parametrize("switch", ["POWERTOOLS_DEV", "POWERTOOLS_DEBUG"])
def test_debug_settings_of_powertools_print_neither_key_nor_photo(
    switch: str,
    store: SqliteAccountStore,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert store
    monkeypatch.setenv(switch, "true")
    handler = build_app(settings, logger=Logger(service=f"test-{switch}"))
    assert handler(make.blur(image=PHOTO), InvocationContext())["statusCode"] == 200
    printed = "".join(capfd.readouterr())
    assert '"answered"' in printed
    assert found_in(printed) == set()


def test_debug_logs_contain_neither_key_nor_photo(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert call(make.blur(image=PHOTO)).status == 200
        session().create_client("s3", region_name="eu-central-1", endpoint_url="http://127.0.0.1:9")
    assert found_in(caplog.text) == set()
    assert {record.name for record in caplog.records if record.name.startswith("botocore")} == set()


@pytest.mark.parametrize("path", [f"/{make.FUNDED}", f"/v2/account/{make.FUNDED}", "/x" * 4000])
def test_an_unknown_path_is_not_logged(path: str, call: Call, log: io.StringIO) -> None:
    assert call(make.event("GET", path)).status == 404
    [line] = map(json.loads, log.getvalue().splitlines())
    assert (line["path"], line["status"]) == (UNROUTED, 404)
    assert path[1:] not in log.getvalue()


@pytest.mark.parametrize("path", ["/v2/account", "/v2/account/"])
def test_path_of_a_route_is_logged_without_a_trailing_slash(
    path: str, call: Call, log: io.StringIO
) -> None:
    call(make.event("GET", path))
    assert json.loads(log.getvalue())["path"] == "/v2/account"


def test_traceback_in_the_log_has_file_names_but_neither_key_nor_photo(
    call: Call, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("blur.imaging.matting.session.Model.predict", fail)
    event = make.blur(image=PHOTO)
    assert call(event).status == 500
    assert "service.py" in log.getvalue()
    assert found_in(log.getvalue()) == set()


def test_repr_of_objects_with_a_key_or_a_photo_contains_neither_key_nor_photo() -> None:
    request = from_event(make.blur(image=PHOTO))
    assert request.headers["apikey"] == make.FUNDED
    carriers = [
        request,
        keys.parse(make.FUNDED),
        parse_blur_request(request, max_body_bytes=1_000_000),
        EncodedImage(PHOTO, "image/jpeg"),
        PresignedForm("/", {"token": make.FUNDED}, 0),
        Link(f"https://media.example/?{make.FUNDED}", 0),
    ]
    assert found_in(repr(carriers)) == set()
