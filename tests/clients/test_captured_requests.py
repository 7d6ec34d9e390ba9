"""Our responses to the requests of remove.bg's clients that are not on npm or PyPI."""

from __future__ import annotations

import base64
import http.client
import io
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.clients import captured
from tests.clients.captured import File
from tests.clients.conftest import credits_of, portrait, send
from tests.clients.pictures import assembled, is_cut_out, picture
from tests.integration.storage.conftest import issue

if TYPE_CHECKING:
    import requests
    from tests.integration.storage.conftest import Api

FULL, PREVIEW = (512, 512), (500, 500)
WRONG = "not-a-key"


def sends(client: str, api: Api, photo: File) -> requests.PreparedRequest:
    """Return the request that this client usually sends."""
    url, key = api.server.url, api.key
    encoded = base64.b64encode(photo.data).decode()
    requests_: dict[str, Callable[[], requests.PreparedRequest]] = {
        "command line": lambda: captured.command_line(url, key, photo, size="auto", format="zip"),
        "command line, preview": lambda: captured.command_line(
            url, key, photo, size="preview", format="zip", type="person"
        ),
        "Go": lambda: captured.go(url, key, photo, size="auto", format="zip"),
        "Go, PNG": lambda: captured.go(url, key, photo, size="auto", format="png"),
        "Ruby": lambda: captured.ruby_file(url, key, photo),
        "Ruby, PNG": lambda: captured.ruby_file(url, key, photo, format="zip"),
        "PHP": lambda: captured.php_file(url, key, photo, size="regular", add_shadow=False),
        "PHP, base64": lambda: captured.php_base64(url, key, encoded, size="auto"),
        "brilam": lambda: captured.brilam(url, key, photo),
        "axios": lambda: captured.axios(url, key, photo, size="auto"),
        "Pipedream": lambda: captured.pipedream(
            url, key, {"image_file_b64": encoded, "size": "auto", "crop": False, "type": None}
        ),
    }
    return requests_[client]()


@pytest.mark.parametrize(
    ("client", "kind", "size"),
    [
        ("command line", "application/zip", FULL),
        ("command line, preview", "application/zip", PREVIEW),
        ("Go", "application/zip", FULL),
        ("Go, PNG", "image/png", FULL),
        ("Ruby", "image/png", FULL),
        ("Ruby, PNG", "application/zip", FULL),
        ("PHP", "image/png", PREVIEW),
        ("PHP, base64", "application/json", FULL),
        ("brilam", "image/png", PREVIEW),
        ("axios", "image/png", FULL),
        ("Pipedream", "application/json", FULL),
    ],
)
def test_each_client_gets_a_cutout_in_the_format_and_size_of_its_request(
    client: str, kind: str, size: tuple[int, int], api: Api, photo: File
) -> None:
    before = credits_of(api)
    response = send(sends(client, api, photo))
    assert (response.status_code, response.headers["Content-Type"].split(";")[0]) == (200, kind)
    if kind == "application/zip":
        image = assembled(response.content)
    elif kind == "application/json":
        image = picture(base64.b64decode(response.json()["data"]["result_b64"]))
    else:
        image = picture(response.content)
    assert image.size == size
    assert is_cut_out(image)
    price = 0.25 if size == PREVIEW else 1
    assert before - credits_of(api) == price == float(response.headers["X-Credits-Charged"])
    assert (int(response.headers["X-Width"]), int(response.headers["X-Height"])) == size


def test_the_response_has_x_type_unless_type_level_is_none(api: Api, photo: File) -> None:
    plain = send(captured.ruby_file(api.server.url, api.key, photo))
    assert plain.headers["X-Type"] == "person"
    assert "X-Type" not in send(captured.brilam(api.server.url, api.key, photo)).headers


def test_a_request_of_the_command_line_client_with_all_options_set_gets_a_result(
    api: Api, photo: File
) -> None:
    options = {
        "size": "full",
        "type": "person",
        "type_level": "2",
        "format": "png",
        "roi": "0% 0% 100% 100%",
        "crop": "true",
        "crop_margin": "10px",
        "scale": "80%",
        "position": "center",
        "channels": "rgba",
        "add_shadow": "false",
        "semitransparency": "false",
        "bg_color": "81d4fa77",
    }
    assert list(options) == captured.UNUSED
    response = send(captured.command_line(api.server.url, api.key, photo, **options))
    assert response.status_code == 200, response.text
    assert picture(response.content).getpixel((0, 0)) == (0x81, 0xD4, 0xFA, 0x77)


def test_the_background_file_that_the_go_client_sends_is_used(api: Api, photo: File) -> None:
    wall = io.BytesIO()
    Image.new("RGB", (64, 48), (10, 200, 30)).save(wall, "PNG")
    wall_file = File("wall.png", wall.getvalue())
    response = send(captured.go(api.server.url, api.key, photo, background=wall_file, size="auto"))
    image = picture(response.content)
    assert image.format == "JPEG", "the result is opaque, but it is not a JPEG"
    corner = np.asarray(image.convert("RGB"))[:40, :40].reshape(-1, 3).mean(axis=0)
    assert np.abs(corner - (10, 200, 30)).max() < 12


@pytest.mark.parametrize("client", ["command line", "Go", "Ruby", "brilam"])
def test_a_file_name_with_unicode_spaces_and_quotes_is_accepted(client: str, api: Api) -> None:
    small = File("été 写真 (1); a='b'.jpeg", portrait(128).data)
    assert send(sends(client, api, small)).status_code == 200


def test_a_jpeg_that_php_sends_with_the_name_png_is_accepted(api: Api, photo: File) -> None:
    request = captured.php_file(api.server.url, api.key, photo, size="preview")
    assert isinstance(request.body, bytes)
    assert b'filename="photo.png"' in request.body
    assert send(request).status_code == 200


@pytest.mark.parametrize("client", ["command line", "Ruby, PNG", "PHP", "brilam", "Pipedream"])
def test_a_client_that_sends_its_request_again_is_charged_once(
    client: str, api: Api, photo: File
) -> None:
    before = credits_of(api)
    first, second = (send(sends(client, api, photo)) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert float(first.headers["X-Credits-Charged"]) > 0
    assert float(second.headers["X-Credits-Charged"]) == 0
    assert second.headers["Idempotent-Replayed"] == "true"
    assert before - credits_of(api) == float(first.headers["X-Credits-Charged"])


def test_a_different_photo_or_different_parameters_make_a_new_call(api: Api, photo: File) -> None:
    before = credits_of(api)
    sizes, photos = ("preview", "medium"), (photo, portrait())
    for size, sent in itertools.product(sizes, photos):
        response = send(captured.ruby_file(api.server.url, api.key, sent, size=size))
        assert response.status_code == 200
        assert "Idempotent-Replayed" not in response.headers
    assert before - credits_of(api) == 2 * 0.25 + 2 * 1


@pytest.mark.parametrize(
    "client", ["command line", "Go", "Ruby", "PHP", "PHP, base64", "brilam", "Pipedream"]
)
def test_each_client_can_read_the_error_for_a_wrong_key(client: str, api: Api, photo: File) -> None:
    stranger = type(api)(api.server, WRONG, api.other_key, api.env)
    response = send(sends(client, stranger, photo))
    assert response.status_code == 403
    assert shown_by(client, response)


@pytest.mark.parametrize("client", ["command line", "Go", "Ruby", "PHP", "Pipedream"])
def test_each_client_can_read_the_error_for_a_file_that_is_not_an_image(
    client: str, api: Api
) -> None:
    before = credits_of(api)
    response = send(sends(client, api, File("photo.jpg", b"This is not a photo.")))
    assert response.status_code == 400
    assert shown_by(client, response)
    assert credits_of(api) == before


def shown_by(client: str, response: requests.Response) -> str:
    """Return the text that a client shows for an error, built as in the client's source."""
    assert response.headers["Content-Type"].startswith("application/json")
    [error] = response.json()["errors"]
    assert all(isinstance(value, str) and value for value in error.values())
    if client == "command line":  # remove.bg sends no detail with some errors
        return f"{error['code']} {error['title']} - {error.get('detail')}"
    if client.startswith("PHP"):  # the client runs implode(' - ', reset($response['errors']))
        return " - ".join(error.values())
    title: str = error["title"]
    return title


def test_a_url_of_the_ruby_gem_gets_400_if_the_operator_does_not_allow_urls(api: Api) -> None:
    response = send(captured.ruby_url(api.server.url, api.key, "http://example.com/404.png"))
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "invalid_image_url"
    assert shown_by("Ruby", response) == "Image URL invalid or not allowed"


def test_the_command_line_gets_a_retry_after_header_at_the_rate_limit(
    api: Api, photo: File
) -> None:
    key = issue(api.env, options=("--rate", "1", "--burst", "1"))
    first, second = (
        send(captured.command_line(api.server.url, key, photo, size="preview", format="zip"))
        for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (200, 429)
    assert 0 < int(second.headers["Retry-After"]) <= 60
    assert shown_by("Go", second) == "Rate limit exceeded"


def test_the_last_credit_pays_for_a_call_and_its_copy_but_not_for_a_new_photo(
    api: Api, photo: File
) -> None:
    key = issue(api.env, funds=1)
    responses = [
        send(captured.ruby_file(api.server.url, key, sent)) for sent in (photo, photo, portrait())
    ]
    assert [response.status_code for response in responses] == [200, 200, 402]
    assert shown_by("Ruby", responses[-1]) == "Insufficient credits"


def test_a_request_of_a_disconnected_client_and_its_retry_are_charged_once_in_total(
    api: Api, photo: File
) -> None:
    before = credits_of(api)
    request = captured.ruby_file(api.server.url, api.key, photo, size="medium")
    host = api.server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("POST", captured.ROUTE, request.body, dict(request.headers))
    connection.close()
    response = send(request)
    assert response.status_code == 200
    assert before - credits_of(api) == 1
