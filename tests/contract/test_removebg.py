"""remove.bg's routes: bodies, parameters, responses, prices and copies, with the real model."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from aws_lambda_powertools import Logger
from events import make
from PIL import Image

from bgblur.serving.proxy_events import InvocationContext
from blur.api.removebg.body import TEXTS
from blur.api.removebg.paths import ACCOUNT_PATH, REMOVEBG_PATH
from blur.api.removebg.responses import max_image_bytes
from blur.app import build_app
from blur.credits import QUARTER
from blur.imaging.removal.options import SIZES

from .conftest import FUNDS, ApiResponse, balance_of

if TYPE_CHECKING:
    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.settings import Settings

    from .conftest import Call, Clock

PHOTO = make.jpeg()
PHOTO_B64 = base64.b64encode(PHOTO).decode("ascii")


def with_body(content_type: str, body: bytes, accept: str = "*/*") -> dict[str, Any]:
    """Return a remove.bg client's event with this body."""
    event = make.event("POST", REMOVEBG_PATH, key=make.FUNDED, accept=accept)
    event["multiValueHeaders"]["Content-Type"] = [content_type]
    event["headers"]["Content-Type"] = content_type
    return {**event, "body": base64.b64encode(body).decode("ascii"), "isBase64Encoded": True}


def with_json(accept: str = "*/*", **fields: object) -> dict[str, Any]:
    return with_body("application/json", json.dumps(fields).encode(), accept)


def with_form(**fields: str) -> dict[str, Any]:
    return with_body("application/x-www-form-urlencoded", urlencode(fields).encode())


def image_of(response: ApiResponse) -> Image.Image:
    assert response.status == 200, response.raw
    image = Image.open(io.BytesIO(response.body))
    image.load()
    return image


def error_of(response: ApiResponse) -> dict[str, str]:
    (error,) = json.loads(response.body)["errors"]
    assert all(isinstance(value, str) for value in error.values())
    assert response.headers["x-credits-charged"] == "0"
    found: dict[str, str] = error
    return found


def test_a_file_gets_a_png_with_all_of_remove_bgs_headers(
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


@pytest.mark.parametrize("size", ["", "preview", "small", "regular"])
def test_a_preview_costs_a_quarter_of_a_credit(
    size: str, call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    response = call(make.removal(size=size))
    assert response.headers["x-credits-charged"] == "0.25"
    assert response.headers["x-credits-remaining"] == "2.75"
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 0.25, 0)


def test_auto_costs_as_much_as_a_preview_for_a_photo_that_is_not_larger(call: Call) -> None:
    for shape, price in {(500, 500): "0.25", (501, 500): "1"}.items():
        photo = io.BytesIO()
        Image.open(io.BytesIO(PHOTO)).resize(shape).save(photo, "JPEG")
        response = call(make.removal(image=photo.getvalue(), size="auto"))
        assert response.headers["x-credits-charged"] == price
        assert image_of(response).size == shape
        encoded = base64.b64encode(photo.getvalue()).decode()
        as_json = call(with_json(image_file_b64=encoded, size="auto", crop=True))
        assert as_json.headers["x-credits-charged"] == price


def test_an_auto_result_at_the_price_of_a_preview_is_not_larger_than_a_preview(call: Call) -> None:
    photo = io.BytesIO()
    Image.open(io.BytesIO(PHOTO)).resize((500, 500)).save(photo, "JPEG")
    margins = {"crop": "true", "crop_margin": "400px"}
    enlarged = call(make.removal(image=photo.getvalue(), size="auto", **margins))
    # This header claims 8 x 8 pixels, but the following frame is the photo's.
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "JPEG")
    header = small.getvalue()[: small.getvalue().index(b"\xff\xda")]
    Image.open(io.BytesIO(PHOTO)).resize((1600, 1600)).save(photo := io.BytesIO(), "JPEG")
    lying = call(make.removal(image=header + photo.getvalue()[2:], size="auto"))
    for response in (enlarged, lying):
        charged = float(response.headers.get("x-credits-charged", 0))
        if response.status == 200:
            width, height = image_of(response).size
            assert charged == (0.25 if width * height <= 250_000 else 1)
    assert enlarged.status == 200


def test_every_size_above_a_preview_costs_one_credit(call: Call) -> None:
    for size in ("medium", "50MP"):
        assert call(make.removal(size=size)).headers["x-credits-charged"] == "1"
    assert SIZES["medium"] == 1.5


def test_all_bodies_and_a_base64_image_give_the_same_picture(call: Call) -> None:
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
        # The same image and parameters within two minutes are one call.
        assert other.headers["idempotent-replayed"] == "true"
        assert other.headers["x-credits-charged"] == "0"


def test_json_has_the_image_and_the_box_of_the_foreground(call: Call) -> None:
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
def test_a_client_that_also_accepts_images_gets_the_image(accept: str, call: Call) -> None:
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


def test_a_background_image_fills_the_frame(call: Call) -> None:
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


def test_with_type_level_none_the_response_has_no_type(call: Call) -> None:
    assert "x-type" in call(make.removal()).headers
    assert "x-type" not in call(make.removal(type_level="none")).headers


def test_unused_fields_that_are_empty_have_no_effect(call: Call) -> None:
    empty: dict[str, Any] = dict.fromkeys((*TEXTS, "bg_image_file"), "")
    plain, full = call(make.removal()), call(make.removal(**empty, unknown="x"))
    assert image_of(plain).tobytes() == image_of(full).tobytes()


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (make.removal(image=b""), "missing_source"),
        (make.removal(image_url="https://example.com/a.jpg"), "multiple_sources"),
        (with_json(image_url="https://example.com/a.jpg"), "invalid_image_url"),
        (with_json(image_file=PHOTO_B64), "missing_source"),
        (with_json(image_file_b64="*"), "failed_to_read_image"),
        (make.removal(image=PHOTO[:200]), "failed_to_read_image"),
        (make.removal(image=b"%PDF-1.7"), "invalid_file_type"),
        (make.removal(image=make.huge()), "resolution_too_high"),
        (make.removal(image=make.flat()), "unknown_foreground"),
        (make.removal(size="huge"), "invalid_size"),
        (make.removal(format="bmp"), "invalid_format"),
        (make.removal(channels="rgb"), "invalid_channels"),
        (make.removal(bg_color="#12345"), "invalid_bg_color"),
        (make.removal(bg_image_url="https://example.com/a.jpg"), "invalid_bg_image_url"),
        (make.removal(bg_color="red", bg_image_url="https://a.example"), "multiple_bg_sources"),
        (make.removal(crop="2"), "invalid_crop"),
        (make.removal(crop_margin="51%"), "invalid_crop_margin"),
        (make.removal(position="left"), "invalid_position"),
        (make.removal(scale="5%"), "invalid_scale"),
        (make.removal(semitransparency="half"), "invalid_semitransparency"),
        (make.removal(add_shadow="true"), "unsupported_shadow"),
        (make.removal(shadow_type="drop"), "unsupported_shadow"),
        (make.removal(type_level="3"), "invalid_type_level"),
        (make.removal(roi="0 0 1"), "invalid_roi"),
        (make.removal(roi="0 0 9999 100%"), "roi_exceeds_bounds"),
        (make.removal(roi="50% 0 50% 100%"), "roi_region_empty"),
        (with_body("application/json", b"{"), "invalid_request"),
        (with_body("text/plain", b"x"), "invalid_request"),
    ],
)
def test_a_request_that_is_not_valid_has_remove_bgs_code_and_costs_nothing(
    event: dict[str, Any], code: str, call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    response = call(event)
    assert (response.status, error_of(response)["code"]) == (400, code)
    assert balance_of(store, make.FUNDED, clock) == (FUNDS, 0)


def test_the_error_for_an_unreadable_background_image_names_it(call: Call) -> None:
    event = make.event(
        "POST",
        REMOVEBG_PATH,
        key=make.FUNDED,
        form={"image_file": ("a", PHOTO), "bg_image_file": ("b", b"no image")},
    )
    assert error_of(call(event))["title"] == "Failed to read background image"


def test_the_order_of_errors_is_key_then_rate_then_credits_then_request(call: Call) -> None:
    unknown = call(make.removal(make.UNKNOWN, size="huge"))
    assert (unknown.status, json.loads(unknown.body)) == (
        403,
        {"errors": [{"title": "API Key invalid", "code": "auth_failed"}]},
    )
    limited = call(make.removal(make.LIMITED, size="huge"))
    assert (limited.status, error_of(limited)["title"]) == (429, "Rate limit exceeded")
    assert int(limited.headers["retry-after"]) >= 1
    empty = call(make.removal(make.EMPTY, size="huge"))
    assert (empty.status, error_of(empty)["title"]) == (402, "Insufficient credits")
    assert error_of(call(make.removal(size="huge")))["code"] == "invalid_size"


def test_a_key_in_our_own_header_is_not_used(call: Call) -> None:
    event = make.removal()
    for headers in (event["headers"], event["multiValueHeaders"]):
        headers["ApiKey"] = headers.pop("X-Api-Key")
    assert call(event).status == 403


@pytest.mark.parametrize("path", [ACCOUNT_PATH, ACCOUNT_PATH + "/"])
def test_an_account_has_exactly_remove_bgs_keys_with_numbers(path: str, call: Call) -> None:
    call(make.removal())
    response = call(make.event("GET", path, key=make.FUNDED))
    balance = FUNDS - 0.25
    assert (response.status, json.loads(response.body)) == (
        200,
        {
            "data": {
                "attributes": {
                    "credits": {
                        "total": balance,
                        "subscription": 0,
                        "payg": balance,
                        "enterprise": 0,
                    },
                    "api": {"free_calls": 0, "sizes": "all"},
                }
            }
        },
    )
    assert "x-ratelimit-remaining" in response.headers
    assert call(make.event("GET", path, key=make.UNKNOWN)).status == 403


@pytest.mark.parametrize("path", [REMOVEBG_PATH, ACCOUNT_PATH])
def test_a_preflight_allows_remove_bgs_key_header(path: str, call: Call) -> None:
    response = call(make.event("OPTIONS", path))
    assert response.status == 204
    assert "X-Api-Key" in response.headers["access-control-allow-headers"].split(", ")
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", REMOVEBG_PATH), ("DELETE", REMOVEBG_PATH), ("POST", ACCOUNT_PATH)]
)
def test_a_wrong_method_gets_remove_bgs_format(method: str, path: str, call: Call) -> None:
    response = call(make.event(method, path, key=make.FUNDED))
    assert response.status == 405
    assert error_of(response)["code"] == "method_not_allowed"


def test_a_repeated_key_header_is_rejected_in_remove_bgs_format(call: Call) -> None:
    response = call(make.repeated(make.removal(), "X-Api-Key"))
    assert (response.status, error_of(response)["code"]) == (400, "invalid_request")


def test_a_body_over_the_limit_is_too_large(call: Call, settings: Settings) -> None:
    limit = settings.removebg_max_body_bytes
    event = make.removal()
    for headers in (event["headers"], event["multiValueHeaders"]):
        length = str(limit + 1)
        headers["Content-Length"] = length if headers is event["headers"] else [length]
    response = call(event)
    assert (response.status, error_of(response)["code"]) == (400, "file_too_large")


def test_a_copy_within_two_minutes_is_free_and_a_later_one_is_charged(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    first, copy = call(make.removal()), call(make.removal())
    assert "idempotent-replayed" not in first.headers
    assert copy.headers["idempotent-replayed"] == "true"
    assert (copy.headers["x-credits-charged"], copy.body) == ("0", first.body)
    other = call(make.removal(size="full"))
    assert other.headers["x-credits-charged"] == "1"
    clock.at_us += 120_000_000
    assert call(make.removal()).headers["x-credits-charged"] == "0"  # clocks differ by up to 5 s
    clock.at_us += 5_000_000
    later = call(make.removal())
    assert "idempotent-replayed" not in later.headers
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1.5, 0)


def test_with_an_idempotency_key_the_content_does_not_decide_about_copies(call: Call) -> None:
    def keyed(value: str, **fields: Any) -> ApiResponse:  # noqa: ANN401 - the fields of `removal`
        event = make.removal(**fields)
        event["headers"]["Idempotency-Key"] = value
        event["multiValueHeaders"]["Idempotency-Key"] = [value]
        return call(event)

    assert keyed("a").headers["x-credits-charged"] == "0.25"
    assert keyed("b").headers["x-credits-charged"] == "0.25"
    assert keyed("a").headers["idempotent-replayed"] == "true"
    conflict = keyed("a", crop="true")
    assert (conflict.status, error_of(conflict)["code"]) == (409, "idempotency_conflict")
    assert error_of(keyed("not valid"))["code"] == "invalid_idempotency_key"


def test_a_photo_with_subject_person_on_our_route_can_have_its_own_price(
    settings: Settings, store: SqliteAccountStore, clock: Clock, call: Call
) -> None:
    logger = Logger(service="people", stream=io.StringIO())
    own = replace(settings, price_person=QUARTER)
    handler = build_app(own, clock=clock, logger=logger)

    def charge(**fields: Any) -> str:  # noqa: ANN401 - the fields of `make.blur`
        response = ApiResponse(handler(make.blur(**fields), InvocationContext()))
        return response.headers["x-credits-charged"] if response.status == 200 else "none"

    assert charge(subject="person") == "0.25"
    assert charge() == "1"
    assert charge(subject="person", radius="51") == "none"
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1.25, 0)
    without_own = call(make.blur(subject="person"))
    assert (without_own.status, without_own.headers["x-credits-charged"]) == (200, "1")


def test_the_error_for_a_result_too_large_for_lambda_names_the_alternatives(
    settings: Settings, store: SqliteAccountStore, clock: Clock
) -> None:
    del store
    small = replace(settings, max_response_bytes=8_000)
    logger = Logger(service="small", stream=io.StringIO())
    for on_lambda, status in ((True, 400), (False, 200)):
        handler = build_app(small, clock=clock, logger=logger, on_lambda=on_lambda)
        response = ApiResponse(
            handler(make.removal(format="png", size="auto"), InvocationContext())
        )
        assert response.status == status
        if on_lambda:
            error = error_of(response)
            assert error["code"] == "file_too_large"
            assert "format=zip" in error["detail"]
            assert "'size'" in error["detail"]


def test_the_largest_image_also_fits_into_json(call: Call) -> None:
    limit = 6_291_556
    largest = max_image_bytes(limit)
    response = call(with_json("application/json", image_file_b64=PHOTO_B64, size="auto"))
    sent = len(json.loads(response.body)["data"]["result_b64"])
    rest = len(json.dumps(response.raw)) - sent
    assert rest + 4 * -(-largest // 3) <= limit
