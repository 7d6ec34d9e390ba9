"""Results of `/v1.0/removebg`, with the real model: headers, bodies, formats and backgrounds."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from PIL import Image
from tests.contract.removebg_calls import PHOTO, PHOTO_B64, image_of, with_form, with_json

from blur.api.removebg.body import TEXT_FIELDS
from blur.api.removebg.paths import REMOVEBG_PATH
from blur.api.removebg.responses import max_image_bytes

from .conftest import FUNDS, balance_of

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.sqlite.account_store import SqliteAccountStore

    from .conftest import Call


def test_the_response_to_a_file_is_a_png_with_the_headers_of_remove_bg(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    response = call(make.removal(size="full"))
    image = image_of(response)
    assert (response.headers["content-type"], image.mode) == ("image/png", "RGBA")
    headers = response.headers
    assert (int(headers["x-width"]), int(headers["x-height"])) == image.size
    assert (int(headers["x-max-width"]), int(headers["x-max-height"])) == image.size
    left, top, right, bottom = image.getchannel("A").getbbox() or (0, 0, 0, 0)
    assert [
        int(headers[f"x-foreground-{name}"]) for name in ("top", "left", "width", "height")
    ] == [top, left, right - left, bottom - top]
    assert headers["x-type"] in {"person", "other"}
    assert headers["x-credits-charged"] == "1"
    assert headers["x-ratelimit-limit"] == "10000"
    assert headers["x-ratelimit-remaining"] == "9999"
    assert 0 <= int(headers["x-ratelimit-reset"]) - clock.at_us / 1e6 < 2
    assert headers["x-request-id"].startswith("req_")
    assert "total;dur=" in headers["server-timing"]
    assert headers["access-control-allow-origin"] == "*"
    assert {"X-Type", "X-RateLimit-Reset"} <= set(
        headers["access-control-expose-headers"].split(", ")
    )
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1, 0)


def test_multipart_json_and_urlencoded_bodies_give_the_same_picture(call: Call) -> None:
    multipart = call(make.removal(size="auto", crop="true"))
    wrapped = "data:image/jpeg;base64," + "\n".join(
        PHOTO_B64[at : at + 76] for at in range(0, len(PHOTO_B64), 76)
    )
    others = [
        call(with_json(image_file_b64=PHOTO_B64, size="auto", crop=True)),
        call(with_form(image_file_b64=wrapped, size="auto", crop="1", format="", bg_color="")),
    ]
    for other in others:
        assert image_of(other).tobytes() == image_of(multipart).tobytes()
        # Each is a copy of the first request: the same image and parameters, within two minutes.
        assert other.headers["idempotent-replayed"] == "true"
        assert other.headers["x-credits-charged"] == "0"


def test_a_json_response_has_the_image_and_the_foreground_box(call: Call) -> None:
    response = call(with_json("application/json", image_file_b64=PHOTO_B64, size="auto"))
    assert response.headers["content-type"] == "application/json"
    data = json.loads(response.body)["data"]
    plain = call(with_json(image_file_b64=PHOTO_B64, size="auto"))
    assert base64.b64decode(data.pop("result_b64")) == plain.body
    assert data == {
        f"foreground_{name}": int(plain.headers[f"x-foreground-{name}"])
        for name in ("top", "left", "width", "height")
    }


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json, text/plain, */*", "image/png", "", "application/json;q=0"]
)
def test_a_client_gets_an_image_unless_it_prefers_json_to_every_image_format(
    accept: str, call: Call
) -> None:
    assert call(make.removal(accept=accept)).headers["content-type"].startswith("image/")


def test_a_zip_contains_exactly_colours_and_alpha(call: Call) -> None:
    response = call(make.removal(format="zip", size="auto"))
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.body)) as archive:
        assert sorted(archive.namelist()) == ["alpha.png", "color.jpg"]


def test_a_background_colour_makes_an_opaque_jpeg(call: Call) -> None:
    response = call(make.removal(bg_color="#f00", size="auto"))
    image = image_of(response)
    assert image.format == "JPEG"
    red, green, blue = image.getpixel((0, 0))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 15


def test_the_corner_of_the_result_has_the_colour_of_the_background_image(call: Call) -> None:
    background = io.BytesIO()
    Image.new("RGB", (30, 20), (0, 0, 255)).save(background, "PNG")
    event = make.event(
        "POST",
        REMOVEBG_PATH,
        key=make.FUNDED,
        form={
            "bg_image_file": ("any name", background.getvalue(), "text/plain"),
            "size": "auto",
            "format": "png",
            "image_file": ("photo.png", PHOTO, "application/octet-stream"),
        },
    )
    image = image_of(call(event)).convert("RGB")
    assert image.getpixel((0, 0)) == (0, 0, 255)


def test_with_type_level_none_the_response_has_no_header_x_type(call: Call) -> None:
    assert "x-type" in call(make.removal()).headers
    assert "x-type" not in call(make.removal(type_level="none")).headers


def test_empty_fields_and_an_unknown_field_have_no_effect(call: Call) -> None:
    empty: dict[str, Any] = dict.fromkeys((*TEXT_FIELDS, "bg_image_file"), "")
    plain, full = call(make.removal()), call(make.removal(**empty, unknown="x"))
    assert image_of(plain).tobytes() == image_of(full).tobytes()


def test_the_largest_allowed_image_also_fits_into_a_json_response(call: Call) -> None:
    limit = 6_291_556
    largest = max_image_bytes(limit)
    response = call(with_json("application/json", image_file_b64=PHOTO_B64, size="auto"))
    sent = len(json.loads(response.body)["data"]["result_b64"])
    rest = len(json.dumps(response.raw)) - sent
    assert rest + 4 * -(-largest // 3) <= limit
