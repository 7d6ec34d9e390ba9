"""The routes that send the files of the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blur.api.description import description
from blur.api.request import HttpRequest
from blur.api.site import ASSETS, PAGES, PLAIN, Site, canonical, entity_tag, page_headers
from blur.credits import parse_credits

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'{media}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
CLOSED = {"Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": "no-referrer"}
COMMON = {"X-Content-Type-Options": "nosniff", "X-Request-Id": "req_1"}


def request(public_path: str, headers: Mapping[str, str] | None = None) -> HttpRequest:
    return HttpRequest("GET", public_path, headers or {}, "req_1", "", False, 1, public_path)  # noqa: FBT003


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with files that contain only their own names."""
    for name in (*PAGES.values(), PLAIN, *ASSETS):
        (tmp_path / name).write_text(name)
    return Site(tmp_path, lambda: "https://media.example")


def test_a_page_has_a_strict_security_policy_and_browsers_revalidate_the_page(site: Site) -> None:
    response = site.routes()["/docs"]["GET"](request("/docs"))
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert response.body == "docs.html"
    assert response.headers == {
        **COMMON,
        **CLOSED,
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": POLICY.format(media=" https://media.example"),
        "Cache-Control": "no-cache",
        "Vary": "Accept",
        "ETag": entity_tag(b"docs.html"),
    }


def test_an_asset_is_cached_for_five_minutes(site: Site) -> None:
    response = site.routes()["/app.js"]["GET"](request("/app.js"))
    assert response.headers == {
        **COMMON,
        "Content-Type": "text/javascript; charset=utf-8",
        "Cache-Control": "public, max-age=300",
        "ETag": entity_tag(b"app.js"),
    }


def test_binary_files_are_sent_as_bytes_and_all_other_files_as_text(site: Site) -> None:
    routes = site.routes()
    bodies = {name: routes[f"/{name}"]["GET"](request(f"/{name}")).body for name in ASSETS}
    binary = (".jpg", ".png", ".ico")
    assert bodies == {name: name.encode() if name.endswith(binary) else name for name in ASSETS}


@pytest.mark.parametrize(
    ("public_url", "address"),
    [("", "preview.jpg"), ("https://blur.example/api", "https://blur.example/api/preview.jpg")],
)
def test_the_image_of_a_link_preview_has_an_absolute_url_if_the_public_url_is_set(
    public_url: str, address: str, site: Site
) -> None:
    (site.folder / "index.html").write_text('<meta property="og:image" content="preview.jpg">')
    page = replace(site, public_url=public_url).routes()["/"]["GET"]
    response = page(request("/", {"accept": "text/html"}))
    assert response.body == f'<meta property="og:image" content="{address}">'


@pytest.mark.parametrize("price", ["1", "3", "0.25"])
def test_the_page_contains_the_prices_that_are_set_in_the_settings(price: str, site: Site) -> None:
    head = '<meta name="price" content="1"><meta name="person-price" content="1">'
    (site.folder / "index.html").write_text(head)
    priced = replace(site, price=parse_credits(price), person_price=parse_credits("0.5"))
    page = priced.routes()["/"]["GET"]
    response = page(request("/", {"accept": "text/html"}))
    assert response.body == (
        f'<meta name="price" content="{price}"><meta name="person-price" content="0.5">'
    )


def test_a_file_is_read_only_once(site: Site) -> None:
    page = site.routes()["/docs"]["GET"]
    page(request("/docs"))
    (site.folder / "docs.html").unlink()
    assert page(request("/docs")).body == "docs.html"


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        ("/", "text/html", "index.html"),
        ("/", "Text/HTML;q=0.9", "index.html"),
        ("/", "application/xhtml+xml", "index.html"),
        ("/", "*/*", "index.txt"),
        ("/", None, "index.txt"),
        ("/docs", "text/html", "docs.html"),
        ("/docs", "*/*", "docs.html"),
        ("/docs", None, "docs.html"),
    ],
)
def test_only_the_root_path_returns_plain_text_to_clients_that_do_not_accept_html(
    site: Site, path: str, accept: str | None, expected: str
) -> None:
    headers = {} if accept is None else {"accept": accept}
    response = site.routes()[path]["GET"](request(path, headers))
    kind = "text/plain" if expected == PLAIN else "text/html"
    assert (response.body, response.content_type) == (expected, f"{kind}; charset=utf-8")


def test_a_page_url_with_a_missing_or_an_additional_slash_is_redirected_permanently(
    site: Site,
) -> None:
    response = site.routes()["/"]["GET"](request("/prod"))
    assert (response.status_code, response.content_type, response.body) == (308, None, "")
    assert response.headers == {
        "Location": "./prod/",
        "X-Request-Id": "req_1",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    response = site.routes()["/docs"]["GET"](request("/prod/docs/"))
    assert (response.status_code, response.headers["Location"]) == (308, "../docs")


@pytest.mark.parametrize(
    "known", ['"{tag}"', 'W/"{tag}"', '"a" , "{tag}"', '"a","{tag}"', '"a","b", W/"{tag}"']
)
def test_a_client_that_has_the_file_gets_304(site: Site, known: str) -> None:
    tag = entity_tag(b"app.js")
    headers = {"if-none-match": known.replace('"{tag}"', tag)}
    response = site.routes()["/app.js"]["GET"](request("/app.js", headers))
    assert (response.status_code, response.content_type, response.body) == (304, None, "")
    assert response.headers == {**COMMON, "Cache-Control": "public, max-age=300", "ETag": tag}


def test_each_file_has_the_media_type_of_its_extension() -> None:
    types = {"svg": "image/svg+xml", "jpg": "image/jpeg", "css": "text/css; charset=utf-8"}
    types |= {"js": "text/javascript; charset=utf-8", "png": "image/png", "ico": "image/x-icon"}
    types["json"] = "application/json"
    assert {name: types[name.rpartition(".")[2]] for name in ASSETS} == ASSETS


def test_the_canonical_url_of_the_root_ends_with_a_slash_and_other_urls_do_not() -> None:
    assert canonical("/X", is_root=True) == "./X/"
    assert canonical("/stage/X/", is_root=False) == "../X"


def test_entity_tags_are_strong_and_depend_on_the_content() -> None:
    assert entity_tag(b"") == '"e3b0c44298fc1c149afbf4c8996fb924"'
    assert entity_tag(b"a") != entity_tag(b"b")


def test_without_a_storage_origin_a_page_connects_only_to_its_own_host() -> None:
    assert page_headers("") == {"Content-Security-Policy": POLICY.format(media=""), **CLOSED}


def test_browsers_revalidate_the_openapi_document_and_all_origins_can_read_it() -> None:
    response = description(request("/openapi.json"))
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert isinstance(response.body, str)
    assert response.headers["ETag"] == entity_tag(response.body.encode())
    known = request("/openapi.json", {"if-none-match": str(response.headers["ETag"])})
    assert description(known).status_code == 304
