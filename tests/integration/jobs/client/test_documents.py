"""The client reads the API's JSON documents, and rejects incomplete documents."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import cast

import pytest
from tests.integration.jobs.scripted_api import (
    JOB_ID,
    KEY,
    ROUTE,
    Reply,
    ScriptedApi,
    done,
    job,
    json_reply,
    lines,
)

from blur_client import BlurClientError, Client, ConnectionFailedError
from blur_client.errors import ApiError, UnexpectedResponseError


@pytest.mark.parametrize("line", [b"[1]\n", b"{}\n", b"no JSON\n"])
def test_a_manifest_line_that_cannot_be_parsed_as_a_row_raises_an_error(
    line: bytes, api: ScriptedApi, client: Client
) -> None:
    api.on("GET", f"{ROUTE}/manifest", Reply(200, line))
    with pytest.raises(UnexpectedResponseError, match="a line that cannot be read"):
        list(client.jobs.manifest(JOB_ID))


@pytest.mark.parametrize("document", [job(counts={}), job(counts=None), job(upload={"url": 5})])
def test_a_job_response_with_missing_or_wrong_fields_is_an_error(
    document: dict[str, object], api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, json_reply(document))
    with pytest.raises(UnexpectedResponseError, match="missing or wrong"):
        client.jobs.status(JOB_ID)


@pytest.mark.parametrize("failures", [[{}], [None], 5])
def test_a_job_response_with_a_malformed_list_of_failures_is_an_error(
    failures: object, api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, json_reply(job(failures=failures)))
    with pytest.raises(UnexpectedResponseError, match="missing or wrong"):
        list(client.jobs.failures(JOB_ID))


@pytest.mark.parametrize("rest", [{}, {"balance": 1, "held": 0, "usage": [], "rate_limit": 5}])
def test_an_account_response_with_missing_or_wrong_fields_is_an_error(
    rest: dict[str, object], api: ScriptedApi, client: Client
) -> None:
    api.on("GET", "/v2/account", json_reply({"account_id": "acct_1", **rest}))
    with pytest.raises(UnexpectedResponseError, match="missing or wrong"):
        client.account()


def test_a_presigned_form_with_malformed_fields_is_an_error(api: ScriptedApi) -> None:
    form = {"upload_id": "up_1", "url": "/media", "fields": [1, 2]}
    api.on("POST", "/v2/uploads", json_reply(form, 201))
    with (
        Client(api.url, KEY, upload_above_bytes=0) as client,
        pytest.raises(UnexpectedResponseError, match="missing or wrong"),
    ):
        client.blur(b"\xff\xd8\xff" + bytes(100), radius=9)


INVALID_LINKS = ["ftp://host/a", "http://[::1", "http://host:port/", "http://a..b/"]


@pytest.mark.parametrize("link", INVALID_LINKS)
def test_an_invalid_link_in_a_response_is_an_error_of_the_client(
    link: str, api: ScriptedApi, client: Client
) -> None:
    photo, invalid_link = b"\xff\xd8\xff" + bytes(100), Reply(303, headers={"Location": link})
    form = {"upload_id": "up_1", "url": link, "fields": {}}
    api.on("POST", "/v2/uploads", json_reply(form, 201))
    api.on("POST", "/v2/rembg/blur/", invalid_link)
    api.on("GET", ROUTE, json_reply(job(link)))
    api.on("GET", f"{ROUTE}/manifest", lines(done("a.jpg", f"{ROUTE}/results/o")))
    api.on("GET", f"{ROUTE}/results/o", invalid_link)
    [row] = client.jobs.manifest(JOB_ID)
    api.on("GET", f"{ROUTE}/manifest", lines(done("a.jpg", link)))
    with Client(api.url, KEY, upload_above_bytes=0) as uploading:
        calls: list[Callable[[], object]] = [
            lambda: client.blur(photo, radius=9),
            lambda: uploading.blur(photo, radius=9),
            lambda: client.jobs.status(JOB_ID),
            lambda: list(client.jobs.manifest(JOB_ID)),
            lambda: client.jobs.fetch(JOB_ID, row, io.BytesIO()),
        ]
        for call in calls:
            with pytest.raises(UnexpectedResponseError):
                call()


def test_a_body_with_a_wrong_encoding_and_an_invalid_proxy_are_connection_errors(
    api: ScriptedApi, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.on("GET", ROUTE, Reply(200, b"not gzip", {"Content-Encoding": "gzip"}))
    with pytest.raises(ConnectionFailedError, match="cannot be decoded"):
        client.jobs.status(JOB_ID)
    for proxy in (
        "http://:0@:port",
        "http://.",
        f"http://{'a' * 64}.example",
        "http://a:\u20ac@b:1",
    ):
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(ConnectionFailedError, match="proxy"):
            client.jobs.status(JOB_ID)


@pytest.mark.parametrize("url", ["", None, 0, []])
def test_a_form_whose_url_is_not_a_link_is_an_error(
    url: object, api: ScriptedApi, client: Client
) -> None:
    document = job("/form")
    document["upload"] = {**cast("dict[str, object]", document["upload"]), "url": url}
    api.on("GET", ROUTE, json_reply(document))
    with pytest.raises(UnexpectedResponseError, match="missing or wrong"):
        client.jobs.status(JOB_ID)


def test_unusual_json_in_an_error_is_an_error_of_the_client(
    api: ScriptedApi, client: Client
) -> None:
    error = {"error": {"code": "invalid_request", "retry_after": "soon"}}
    api.on("GET", ROUTE, json_reply(error, 400), Reply(400, b"[" * 200_000))
    for _ in range(2):
        with pytest.raises(ApiError) as raised:
            client.jobs.status(JOB_ID)
        assert raised.value.retry_after_s is None


def test_failures_are_read_page_by_page(api: ScriptedApi, client: Client) -> None:
    failure = {"source": "a.jpg", "code": "no_subject", "message": "No subject."}
    first = job(failures=[failure], next="abc")
    api.on("GET", ROUTE, json_reply(first), json_reply(job(failures=[failure])))
    assert [each.code for each in client.jobs.failures(JOB_ID)] == ["no_subject"] * 2
    assert [each.query for each in api.requests("GET", ROUTE)] == ["", "after=abc"]


def test_the_repr_of_a_job_contains_no_notification_secret_and_no_upload_token(
    api: ScriptedApi, client: Client
) -> None:
    secret = "whsec_" + "a" * 32
    created = {**job("/form"), "notify_secret": secret}
    api.on("POST", "/v2/jobs", json_reply(created, 201))
    new = client.jobs.create(radius="2%", quality=90, notify="https://example.com/hook")
    assert json.loads(api.seen[0].body) == {
        "radius": "2%",
        "quality": "90",
        "notify": "https://example.com/hook",
    }
    assert new.notify_secret == secret
    assert "whsec" not in repr(new)
    assert "token" not in repr(new)


def test_the_error_for_a_response_that_is_not_json_is_a_blur_client_error(
    api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, Reply(200, b"no JSON"))
    with pytest.raises(BlurClientError):
        client.jobs.status(JOB_ID)
