"""The page as the handler serves it: routes, caching and security headers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from docs import guides
from events import make
from tests.contract.description import API

from blur.api.site import ASSETS, PAGES, PLAIN, canonical

from .conftest import SITE

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Call

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
MARKUP = [SITE / name for name in PAGES.values()]


def get(path: str, accept: str = BROWSER, *, stage: str = "", **headers: str) -> dict[str, Any]:
    event = make.event("GET", path)
    event["headers"] |= {"Accept": accept, **headers}
    event["requestContext"]["path"] = stage + path
    return event


def test_routes_exist_for_exactly_the_files_in_the_site_folder() -> None:
    assert {file.name for file in SITE.iterdir()} == {*PAGES.values(), PLAIN, *ASSETS}


@pytest.mark.parametrize("path", [*PAGES, *(f"/{name}" for name in ASSETS)])
def test_browser_gets_each_file_with_its_content_type(path: str, call: Call) -> None:
    name = PAGES.get(path, path[1:])
    response = call(get(path))
    assert response.status == 200
    assert response.body == (SITE / name).read_bytes()
    assert response.headers["content-type"] == ASSETS.get(name, "text/html; charset=utf-8")
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/docs", "/app.js", "/openapi.json"])
def test_a_request_with_the_current_etag_of_a_file_gets_304(path: str, call: Call) -> None:
    tag = call(get(path)).headers["etag"]
    for known in (tag, f'"other", W/{tag}'):
        again = call(get(path, **{"If-None-Match": known}))
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert call(get(path, **{"If-None-Match": '"other"'})).status == 200


@pytest.mark.parametrize("accept", ["*/*", ""])
def test_client_that_does_not_ask_for_html_gets_the_routes_as_plain_text(
    accept: str, call: Call
) -> None:
    response = call(get("/", accept))
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["vary"] == "Accept"
    assert b"POST v2/rembg/blur/" in response.body


@pytest.mark.parametrize("path", PAGES)
def test_security_policy_of_a_page_allows_only_files_and_requests_of_this_service(
    path: str, call: Call
) -> None:
    header = call(get(path)).headers["content-security-policy"]
    policy = dict(part.split(" ", 1) for part in header.split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' blob:"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in header


@pytest.mark.parametrize("file", MARKUP, ids=lambda file: file.name)
def test_page_has_no_inline_script_or_style_and_no_url_of_another_host(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:", text)
    assert not re.search(r"//[a-z]", text)


@pytest.mark.parametrize("file", [SITE / name for name in ASSETS if name.endswith(".js")])
def test_scripts_neither_insert_html_nor_call_eval_nor_contain_urls(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|https?:", text)


@pytest.mark.parametrize(
    ("path", "is_root", "location"),
    [
        ("/", True, None),
        ("/prod", True, "./prod/"),
        ("/prod/", True, None),
        ("/prod/docs", False, None),
        ("/prod/docs/", False, "../docs"),
        ("//elsewhere.example", True, "./elsewhere.example/"),
    ],
)
def test_only_the_root_of_the_page_has_a_slash_at_the_end_of_its_canonical_path(
    path: str, location: str | None, *, is_root: bool
) -> None:
    assert canonical(path, is_root=is_root) == location


def test_root_of_an_api_gateway_stage_is_redirected_to_the_path_with_a_slash(call: Call) -> None:
    event = get("/")
    event["requestContext"]["path"] = "/prod"
    response = call(event)
    assert (response.status, response.headers["location"]) == (308, "./prod/")
    assert call(get("/", stage="/prod")).status == 200


def test_post_to_the_root_gets_405(call: Call) -> None:
    response = call(make.event("POST", "/"))
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_scripts_of_any_origin_can_read_the_openapi_document(call: Call) -> None:
    response = call(get("/openapi.json", "*/*"))
    assert json.loads(response.body)["openapi"] == "3.1.0"
    assert response.headers["content-type"] == "application/json"
    assert response.headers["access-control-allow-origin"] == "*"


def test_the_pages_sample_photo_is_also_the_photo_in_the_test_events() -> None:
    assert (SITE / "sample.jpg").read_bytes() == make.PHOTO.read_bytes()


def test_the_pages_guides_have_the_same_text_as_the_documentation() -> None:
    assert (SITE / "guides.json").read_text("utf-8") == guides.served(), "run `make openapi`"
    assert [guide["title"] for guide in guides.guides()] == [
        "Coming from fapihub",
        "Migrating from remove.bg",
    ]


def test_errors_js_has_a_remedy_for_exactly_the_error_codes_of_the_openapi_document() -> None:
    text = (SITE / "errors.js").read_text("utf-8")
    remedies = text[text.index("REMEDIES") :]
    codes = {
        each["const"]
        for response in API["components"]["responses"].values()
        for part in response.get("content", {})
        .get("application/json", {})
        .get("schema", {})
        .get("allOf", [])
        for each in part.get("properties", {})
        .get("error", {})
        .get("properties", {})
        .get("code", {})
        .get("oneOf", [])
    }
    assert len(codes) > 20
    assert codes == set(re.findall(r"^  (\w+): ", remedies, re.MULTILINE))
