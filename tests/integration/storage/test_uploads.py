"""Uploads, from the form to the image, with a folder and with a bucket."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import requests
from events import make
from tests.integration.storage.conftest import issue

from blur.accounts import keys
from blur.accounts.model import KeyKind

if TYPE_CHECKING:
    from tests.integration.storage.conftest import Api
    from tests.integration.storage.s3_server import S3Server

PHOTO = make.jpeg()


def presign(api: Api, size: int = len(PHOTO), key: str | None = None) -> dict[str, Any]:
    body = {"content_type": "image/jpeg", "bytes": size}
    headers = {"ApiKey": key or api.key}
    response = requests.post(f"{api.server.url}/v2/uploads", json=body, headers=headers, timeout=30)
    assert response.status_code == 201, response.text
    assert response.headers["X-Credits-Charged"] == "0"
    upload: dict[str, Any] = response.json()
    assert set(upload) == {"upload_id", "url", "fields", "expires_at"}
    return upload


def send(
    upload: dict[str, Any], data: bytes = PHOTO, *, content_type: str | None = None
) -> requests.Response:
    changed = {"Content-Type": content_type} if content_type else {}
    form = {**upload["fields"], **changed}
    return requests.post(upload["url"], data=form, files={"file": data}, timeout=30)


def blur(api: Api, upload_id: str, key: str | None = None) -> requests.Response:
    form = {"upload_id": (None, upload_id), "radius": (None, "9")}
    headers = {"ApiKey": key or api.key}
    return requests.post(api.server.blur_url, headers=headers, files=form, timeout=60)


def test_an_uploaded_photo_has_the_same_result_as_a_photo_in_the_request(api: Api) -> None:
    upload = presign(api)
    assert send(upload).status_code == 204
    by_upload = [blur(api, upload["upload_id"]) for _ in range(2)]
    headers, radius = {"ApiKey": api.key}, {"radius": "9"}
    direct = requests.post(
        api.server.blur_url, headers=headers, files={"image": PHOTO}, data=radius, timeout=60
    )
    assert [response.status_code for response in (*by_upload, direct)] == [200] * 3
    assert by_upload[0].content == by_upload[1].content == direct.content


def test_another_keys_upload_is_not_found_and_costs_nothing(api: Api) -> None:
    upload = presign(api)
    assert send(upload).status_code == 204
    response = blur(api, upload["upload_id"], api.other_key)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "upload_not_found")
    assert response.headers["X-Credits-Remaining"] == "100"


def test_upload_id_of_a_photo_that_was_not_sent_gets_404(api: Api) -> None:
    assert blur(api, presign(api)["upload_id"]).status_code == 404


@pytest.mark.parametrize(
    "upload_id", ["../secret", "../../accounts.db", "/etc/passwd", "", "*", "uploads/", "\0"]
)
def test_an_invalid_upload_id_is_rejected_as_not_found(upload_id: str, api: Api) -> None:
    response = blur(api, upload_id)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "upload_not_found")


@pytest.mark.parametrize("path", ["/v2/uploads", "/media", "/media/", "/media/uploads", "/results"])
def test_uploads_and_results_cannot_be_listed(path: str, api: Api) -> None:
    assert send(presign(api)).ok
    for headers in ({}, {"ApiKey": api.key}):
        response = requests.get(f"{api.server.url}{path}", headers=headers, timeout=30)
        assert response.status_code in {404, 405}
        assert response.json().keys() == {"error"}


def test_an_upload_of_more_bytes_than_declared_is_rejected(api: Api) -> None:
    upload = presign(api, len(PHOTO) - 1)
    assert send(upload).status_code >= 400
    assert blur(api, upload["upload_id"]).status_code == 404


def test_an_empty_file_is_rejected(api: Api) -> None:
    upload = presign(api)
    assert send(upload, b"").status_code >= 400
    assert blur(api, upload["upload_id"]).status_code == 404


def test_an_upload_with_a_type_that_differs_from_the_declared_type_is_rejected(api: Api) -> None:
    upload = presign(api)
    assert send(upload, content_type="text/html").status_code >= 400
    assert blur(api, upload["upload_id"]).status_code == 404


@pytest.mark.parametrize("name", ["token", "policy", "key"])
def test_upload_with_a_changed_token_or_policy_or_key_is_rejected(api: Api, name: str) -> None:
    upload = presign(api)
    changed = {field: value for field, value in upload["fields"].items() if field == name}
    tampered = {field: "eyJ9" + value for field, value in changed.items()}
    whole = {"fields": {**upload["fields"], **tampered}, "url": upload["url"]}
    sent = send(whole)
    assert (sent.status_code >= 400) == bool(changed)


def test_a_request_for_an_upload_form_for_more_than_50_mb_is_rejected(api: Api) -> None:
    body = {"content_type": "image/jpeg", "bytes": 50_000_001}
    url, headers = f"{api.server.url}/v2/uploads", {"ApiKey": api.key}
    response = requests.post(url, json=body, headers=headers, timeout=30)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "image_too_large")


def test_the_error_for_a_large_request_names_the_route_for_uploads(api: Api) -> None:
    files = {"image": bytes(20_000_001)}
    url, headers = api.server.blur_url, {"ApiKey": api.key}
    response = requests.post(url, headers=headers, files=files, timeout=60)
    assert response.status_code == 413
    assert "POST /v2/uploads" in response.json()["error"]["message"]


def test_upload_is_not_fetched_from_the_bucket_for_a_rejected_call(
    by_link: Api, s3: S3Server
) -> None:
    """Only an accepted call causes a request to the bucket."""
    limited = issue(by_link.env, options=["--rate", "1", "--burst", "2"])
    poor = issue(by_link.env, funds=0)
    unknown = keys.mint(KeyKind.LIVE, keys.parse(limited).account_id, secrets.token_bytes)
    uploads = {key: presign(by_link, key=key) for key in (limited, poor)}
    for upload in uploads.values():
        assert send(upload).status_code == 204
    s3.gate.seen.clear()
    statuses = Counter(
        blur(by_link, uploads[limited]["upload_id"], limited).status_code for _ in range(20)
    )
    assert statuses[429] == 19
    assert fetched(s3) == 1
    s3.gate.seen.clear()
    assert blur(by_link, uploads[poor]["upload_id"], poor).status_code == 402
    assert blur(by_link, uploads[poor]["upload_id"], unknown).status_code == 401
    assert fetched(s3) == 0


def fetched(s3: S3Server) -> int:
    return sum(method == "GET" and "/uploads/" in path for method, path, _ in s3.gate.seen)
