"""Writes the proxy events in this folder: one for each response of the contract.

Each file is named after the response to the event, `<status>-<code or route>.json`, and works with
`sam local invoke -e`. The API keys in the events are made from fixed bytes, so that tests and
local stores can contain their accounts. In other stores these keys are not valid.

    python events/make.py
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image
from requests_toolbelt import MultipartEncoder

from blur.accounts import keys
from blur.accounts.model import KeyKind
from blur.api.removebg.paths import ACCOUNT_PATH, REMOVEBG_PATH, key_header
from blur.api.route_paths import JOBS_PATH

HERE = Path(__file__).parent
PHOTO = HERE.parent / "docs" / "images" / "astronaut.jpg"
HEAD_AND_SHOULDERS = (51, 0, 409, 358)
"""The part of the photo that the events use: left, top, right and bottom in pixels."""
BOUNDARY = "background-blur-event"


def _fixed_key(seed: bytes, kind: KeyKind = KeyKind.LIVE) -> str:
    account_id = keys.new_account_id(lambda count: (seed * count)[:count])
    return keys.mint(kind, account_id, lambda count: (seed * count)[-count:])


FUNDED = _fixed_key(b"funded")
EMPTY = _fixed_key(b"empty")
LIMITED = _fixed_key(b"limited")
UNKNOWN = _fixed_key(b"unknown")
TEST = _fixed_key(b"test", KeyKind.TEST)


def jpeg(side_px: int = 192) -> bytes:
    """Return a part of the sample photo, so small that a person can read the event."""
    with Image.open(PHOTO) as photo:
        part = photo.convert("RGB").crop(HEAD_AND_SHOULDERS)
        part.thumbnail((side_px, side_px))
        return _saved(part, "JPEG")


def flat() -> bytes:
    """Return a picture of one colour, in which no subject can be found."""
    return _saved(Image.new("RGB", (64, 64), (90, 120, 150)), "PNG")


def huge() -> bytes:
    """Return a small file of 8,000 by 8,000 pixels."""
    return _saved(Image.new("1", (8000, 8000)), "PNG")


def event(  # noqa: PLR0913 - the parts of a request
    method: str,
    path: str,
    *,
    key: str | None = None,
    form: dict[str, Any] | None = None,
    document: dict[str, Any] | None = None,
    accept: str = "*/*",
) -> dict[str, Any]:
    """Return the event that API Gateway sends for a request with this key, and a form or JSON."""
    headers = {"Accept": accept, "Host": "api.example.com"}
    body = b""
    if key:
        headers[key_header(path)] = key
    if document is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(document).encode()
    if form is not None:
        encoder = MultipartEncoder(form, boundary=BOUNDARY)
        headers["Content-Type"] = encoder.content_type
        body = encoder.read()
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "httpMethod": method,
            "identity": {"sourceIp": "127.0.0.1", "userAgent": "events/make.py"},
            "path": f"/prod{path}",
            "protocol": "HTTP/1.1",
            "requestId": "00000000-0000-4000-8000-000000000000",
            "requestTimeEpoch": 1_750_000_000_000,
            "resourceId": "local",
            "resourcePath": path,
            "stage": "prod",
        },
        "body": base64.b64encode(body).decode("ascii") if body else None,
        "isBase64Encoded": bool(body),
    }


def blur(key: str | None = FUNDED, image: bytes | None = None, **fields: str) -> dict[str, Any]:
    """Return the event for blurring one photo; with `image=b""`, the event has no file."""
    content = jpeg() if image is None else image
    file = {"image": ("photo.jpg", content, "image/jpeg")} if content else {}
    return event("POST", "/v2/rembg/blur/", key=key, form={**file, "radius": "12", **fields})


def removal(
    key: str | None = FUNDED, image: bytes | None = None, accept: str = "*/*", **fields: str
) -> dict[str, Any]:
    """Return a remove.bg client's event with one photo; with `image=b""`, the event has no file."""
    content = jpeg() if image is None else image
    file = {"image_file": ("photo.jpg", content, "image/jpeg")} if content else {}
    return event("POST", REMOVEBG_PATH, key=key, form={**fields, **file}, accept=accept)


def upload(**fields: str) -> dict[str, Any]:
    """Return the event that requests an upload."""
    form = {"content_type": "image/jpeg", "bytes": "8000000", **fields}
    return event("POST", "/v2/uploads", key=FUNDED, form=form)


def job(key: str | None = FUNDED, **fields: str) -> dict[str, Any]:
    """Return the event of a request for a new job."""
    return event("POST", JOBS_PATH, key=key, document={"radius": "2%", **fields})


def repeated(sent: dict[str, Any], name: str) -> dict[str, Any]:
    """Repeat the header `name` in an event, and return the event."""
    sent["multiValueHeaders"][name] *= 2
    return sent


def all_events() -> dict[str, dict[str, Any]]:
    """Return all events; the keys are the names of their files without `.json`."""
    return {
        "200-blur": blur(),
        "200-cutout": blur(mode="cutout"),
        "200-bokeh_webp": blur(blur="bokeh", format="webp", quality="80"),
        "200-test_key": blur(TEST),
        "200-account": event("GET", "/v2/account", key=FUNDED),
        "200-health": event("GET", "/health"),
        "200-removebg": removal(size="auto", bg_color="81d4fa"),
        "200-removebg_zip": removal(size="auto", format="zip", type_level="none"),
        "200-removebg_json": event(
            "POST",
            REMOVEBG_PATH,
            key=FUNDED,
            document={
                "image_file_b64": base64.b64encode(jpeg()).decode("ascii"),
                "size": "preview",
                "crop": True,
            },
            accept="application/json",
        ),
        "200-removebg_account": event("GET", ACCOUNT_PATH, key=FUNDED),
        "201-upload": upload(),
        "201-job": job(blur="bokeh", format="webp"),
        "204-preflight": event("OPTIONS", "/v2/rembg/blur/"),
        "204-removebg_preflight": event("OPTIONS", REMOVEBG_PATH),
        "400-removebg_missing_source": removal(image=b""),
        "400-removebg_unknown_foreground": removal(image=flat()),
        "402-removebg_insufficient_credits": removal(EMPTY),
        "403-removebg_auth_failed": removal(UNKNOWN),
        "405-removebg_method_not_allowed": event("GET", REMOVEBG_PATH, key=FUNDED),
        "429-removebg_rate_limit_exceeded": removal(LIMITED),
        "400-invalid_image": blur(image=b"this is no image"),
        "400-invalid_request": blur(image=b""),
        "400-repeated_header": repeated(event("GET", "/v2/account", key=FUNDED), "ApiKey"),
        "400-invalid_radius": blur(radius="51"),
        "200-ground_percent_roi": blur(radius="2%", depth="ground", roi="0 0 100% 100%"),
        "400-invalid_depth": blur(depth="deep"),
        "400-invalid_subject": blur(subject="car"),
        "400-invalid_roi": blur(roi="left half"),
        "400-roi_exceeds_bounds": blur(roi="0 0 99999 100%"),
        "400-roi_region_empty": blur(roi="50% 0 50% 100%"),
        "400-invalid_mode": blur(mode="vanish"),
        "400-invalid_blur": blur(blur="box"),
        "400-invalid_format": blur(format="bmp"),
        "400-invalid_quality": blur(quality="101"),
        "400-invalid_content_type": upload(content_type="text/html"),
        "400-invalid_bytes": upload(bytes="many"),
        "400-invalid_notify": job(notify="https://192.168.0.1/ended"),
        "401-invalid_api_key": blur(UNKNOWN),
        "401-no_key": blur(None),
        "402-insufficient_credits": blur(EMPTY),
        "404-not_found": event("GET", "/v2/rembg/sharpen/", key=FUNDED),
        "404-upload_not_found": blur(image=b"", upload_id="of-somebody-else"),
        "404-job_not_found": event("GET", f"{JOBS_PATH}/job_{'0' * 32}", key=FUNDED),
        "405-method_not_allowed": event("GET", "/v2/rembg/blur/", key=FUNDED),
        "413-image_too_large": blur(image=huge()),
        "422-no_subject": blur(image=flat()),
        "429-rate_limit_exceeded": blur(LIMITED),
    }


def _saved(image: Image.Image, file_format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


if __name__ == "__main__":
    for name, made in all_events().items():
        (HERE / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
