"""In Chromium, a page calls fetch(), and the API redirects the request to the bucket."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from events import make

from blur.storage.cors import CORS

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.integration.storage.conftest import Api
    from tests.integration.storage.s3_server import S3Server

FETCH = """async ([url, key, photo]) => {
  const bytes = Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0));
  const form = new FormData();
  form.append("image", new Blob([bytes], {type: "image/jpeg"}), "photo.jpg");
  form.append("radius", "9");
  const headers = {ApiKey: key, "Idempotency-Key": crypto.randomUUID()};
  try {
    const answer = await fetch(url, {method: "POST", headers, body: form});
    const picture = await createImageBitmap(await answer.blob());
    return {status: answer.status, redirected: answer.redirected, width: picture.width};
  } catch (error) {
    return {error: String(error)};
  }
}"""


def fetch(page: Page, api: Api) -> dict[str, Any]:
    photo = base64.b64encode(make.jpeg()).decode("ascii")
    result: dict[str, Any] = page.evaluate(FETCH, [api.server.blur_url, api.key, photo])
    return result


def test_a_page_of_any_origin_gets_the_image_through_the_redirect(
    page: Page, by_link: Api, s3: S3Server
) -> None:
    s3.gate.seen.clear()
    assert fetch(page, by_link) == {"status": 200, "redirected": True, "width": 192}
    requests = [(method, headers) for method, path, headers in s3.gate.seen if "/results/" in path]
    preflight = next(headers for method, headers in requests if method == "OPTIONS")
    fetched = next(headers for method, headers in requests if method == "GET")
    assert preflight["origin"] == fetched["origin"] == "null"
    assert preflight["access-control-request-method"] == "GET"
    assert set(preflight["access-control-request-headers"].split(",")) == {
        "apikey",
        "idempotency-key",
    }
    assert fetched["apikey"] == by_link.key


@pytest.mark.parametrize("change", [{"AllowedHeaders": []}, {"AllowedMethods": ["PUT"]}])
def test_the_page_cannot_read_the_image_if_a_part_of_the_cors_rule_is_missing(
    change: dict[str, Any], page: Page, by_link: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = {**CORS["CORSRules"][0], **change}
    monkeypatch.setitem(CORS, "CORSRules", [rule])
    assert set(fetch(page, by_link)) == {"error"}
