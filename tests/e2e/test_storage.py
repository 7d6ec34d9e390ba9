"""Photos and results larger than Lambda's limit of 6 MB, through a bucket.

Containers and clients reach the bucket, which runs in moto. moto checks no permissions:
`tests/integration/storage` tests permissions behind a proxy that checks signatures, policies and
CORS.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from events import make
from PIL import Image

from blur.credits import whole

if TYPE_CHECKING:
    from tests.e2e.customers import Customer

SIDE_PX = 2400
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def large_photo() -> bytes:
    """Return a photo with a large result."""
    return grained()


def grained() -> bytes:
    """Return a photo with so much noise that its PNG exceeds Lambda's response limit."""
    with Image.open(make.PHOTO) as sample:
        pixels = np.asarray(sample.convert("RGB").resize((SIDE_PX, SIDE_PX)), np.float32)
    grained = pixels + np.random.default_rng(0).normal(0, 6, pixels.shape)
    buffer = io.BytesIO()
    Image.fromarray(grained.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def blur(url: str, customer: Customer, form: dict[str, Any], *, follow: bool) -> requests.Response:
    return requests.post(
        f"{url}/v2/rembg/blur/",
        headers={"ApiKey": customer.key},
        files={"radius": (None, "3"), **form},
        allow_redirects=follow,
        timeout=TIMEOUT_S,
    )


def uploaded(url: str, customer: Customer, photo: bytes) -> str:
    """Upload a photo, and return the id of the upload."""
    offered = requests.post(
        f"{url}/v2/uploads",
        headers={"ApiKey": customer.key},
        json={"content_type": "image/jpeg", "bytes": len(photo)},
        timeout=TIMEOUT_S,
    )
    assert offered.status_code == 201, offered.text
    form = offered.json()
    sent = requests.post(form["url"], data=form["fields"], files={"file": photo}, timeout=TIMEOUT_S)
    assert sent.ok, sent.text
    upload_id: str = form["upload_id"]
    return upload_id


def test_a_large_result_gets_a_303_to_its_url(
    url: str, customer: Customer, large_photo: bytes
) -> None:
    response = blur(url, customer, {"image": large_photo}, follow=False)
    assert response.status_code == 303, response.headers
    assert response.headers["Location"] == response.json()["url"]
    assert response.json()["content_type"] == "image/png"
    fetched = requests.get(response.headers["Location"], timeout=TIMEOUT_S)
    assert len(fetched.content) == response.json()["bytes"] > 4_600_000
    with Image.open(io.BytesIO(fetched.content)) as picture:
        assert (picture.format, picture.size) == ("PNG", (SIDE_PX, SIDE_PX))
    assert customer.account().used == whole(1)


def test_only_the_uploading_key_can_use_an_upload(
    url: str, customer: Customer, other_customer: Customer, large_photo: bytes
) -> None:
    upload = {"upload_id": (None, uploaded(url, customer, large_photo))}
    assert blur(url, other_customer, upload, follow=True).status_code == 404
    by_upload = blur(url, customer, upload, follow=True)
    in_place = blur(url, customer, {"image": large_photo}, follow=True)
    assert by_upload.status_code == 200
    assert by_upload.content == in_place.content
    assert other_customer.account().used == 0
