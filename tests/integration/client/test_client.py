"""`blur_client.Client` with a real server and the real model."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
from PIL import Image
from tests.integration.client.shell import PHOTO
from tests.integration.client.unreliable import unreliable

from blur.service import STEPS
from blur_client import ApiError, Client
from blur_client.errors import (
    ImageTooLargeError,
    InvalidApiKeyError,
    InvalidBlurError,
    InvalidDepthError,
    InvalidFormatError,
    InvalidImageError,
    InvalidModeError,
    InvalidQualityError,
    InvalidRadiusError,
    InvalidRoiError,
    InvalidSubjectError,
    NotFoundError,
    RoiExceedsBoundsError,
    RoiRegionEmptyError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.storage.conftest import Api
    from tests.integration.storage.s3_server import S3Server

    from blur_client.source import PhotoInput


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.size


def test_a_blurred_photo_is_returned_with_its_cost(api: Api, photo: Path) -> None:
    with Client(api.server.url, api.key) as client:
        before = client.account().balance
        result = client.blur(photo, radius=12)
        after = client.account()
    assert size_of(result.data) == size_of(PHOTO)
    assert result.content_type == "image/png"
    assert result.request_id
    assert result.request_id.startswith("req_")
    assert (result.credits_charged, result.credits_left) == (1, before - 1)
    assert (after.balance, after.held, after.key_kind) == (before - 1, 0, "live")
    assert not result.replayed
    assert set(result.timing_ms) == {*STEPS, "total"}


def test_paths_bytes_and_files_give_the_same_result(api: Api, photo: Path) -> None:
    with Client(api.server.url + "/", api.key) as client, photo.open("rb") as file:
        sources: list[PhotoInput] = [photo, str(photo), PHOTO, file, io.BytesIO(PHOTO)]
        pictures = {client.blur(source, radius=9, mode="cutout").data for source in sources}
    assert len(pictures) == 1
    with Image.open(io.BytesIO(pictures.pop())) as cutout:
        assert cutout.mode == "RGBA"


def test_the_last_reported_upload_progress_is_the_requests_size(api: Api, photo: Path) -> None:
    reports: list[tuple[int, int]] = []
    with Client(api.server.url, api.key) as client:
        client.blur(photo, radius=9, on_upload=lambda *progress: reports.append(progress))
    assert reports[-1][0] == reports[-1][1] > len(PHOTO)


@pytest.mark.parametrize(
    ("wrong", "kind", "status"),
    [
        ({"radius": 51}, InvalidRadiusError, 400),
        ({"radius": "9%"}, InvalidRadiusError, 400),
        ({"depth": "deep"}, InvalidDepthError, 400),
        ({"subject": "car"}, InvalidSubjectError, 400),
        ({"roi": "left"}, InvalidRoiError, 400),
        ({"roi": "0 0 101% 50%"}, RoiExceedsBoundsError, 400),
        ({"roi": "9 9 9 9"}, RoiRegionEmptyError, 400),
        ({"blur": "smear"}, InvalidBlurError, 400),
        ({"mode": "vanish"}, InvalidModeError, 400),
        ({"format": "bmp"}, InvalidFormatError, 400),
        ({"quality": 0}, InvalidQualityError, 400),
        ({"source": b"this is not an image"}, InvalidImageError, 400),
    ],
)
def test_each_error_code_of_the_api_raises_its_own_exception_class(
    wrong: dict[str, Any], kind: type[ApiError], status: int, api: Api
) -> None:
    call: dict[str, Any] = {"source": PHOTO, "radius": 9, **wrong}
    with Client(api.server.url, api.key) as client, pytest.raises(kind) as error:
        client.blur(**call)
    assert error.value.status == status
    assert error.value.message
    assert (error.value.request_id or "").startswith("req_")


def test_a_wrong_key_and_a_wrong_address_raise_different_errors(api: Api) -> None:
    with Client(api.server.url, "nonsense") as client, pytest.raises(InvalidApiKeyError):
        client.account()
    with Client(f"{api.server.url}/prod", api.key) as client, pytest.raises(NotFoundError):
        client.blur(PHOTO, radius=9)


def test_photo_is_uploaded_to_a_relative_upload_url(api: Api, large_photo: Path) -> None:
    # The server does not recognise 127.1 as its own address, so it returns a relative URL.
    url = api.server.url.replace("127.0.0.1", "127.1")
    headers, declared = {"ApiKey": api.key}, {"content_type": "image/jpeg", "bytes": 1}
    offer = requests.post(f"{url}/v2/uploads", headers=headers, json=declared, timeout=10).json()
    assert offer["url"].startswith("/")
    with Client(url, api.key, upload_above_bytes=40_000) as client:
        assert client.blur(large_photo, radius=9).credits_charged == 1


def test_a_photo_above_the_threshold_is_uploaded_before_the_call(
    api: Api, large_photo: Path
) -> None:
    with (
        unreliable(api.server.url) as relay,
        Client(relay.url, api.key, upload_above_bytes=40_000) as client,
    ):
        result = client.blur(large_photo, radius=9)
    assert [path for path, _ in relay.seen] == ["/v2/uploads", "/v2/rembg/blur/"]
    assert size_of(result.data) == (512, 512)


def test_if_the_service_has_no_uploads_large_photos_are_sent_in_the_request(
    without_uploads: Api, photo: Path
) -> None:
    with Client(without_uploads.server.url, without_uploads.key, upload_above_bytes=100) as client:
        assert size_of(client.blur(photo, radius=9).data) == size_of(PHOTO)


def test_large_file_of_an_unknown_type_is_not_uploaded_after_a_413_response(api: Api) -> None:
    unknown = bytes(50_000)
    with unreliable(api.server.url) as relay, Client(relay.url, api.key) as client:
        with pytest.raises(ImageTooLargeError):
            client.blur(unknown, radius=9)
        assert len(relay.seen) == 1


def test_the_result_at_a_link_is_fetched_without_sending_the_key(
    by_link: Api, s3: S3Server
) -> None:
    s3.gate.seen.clear()
    with Client(by_link.server.url, by_link.key) as client:
        result = client.blur(PHOTO, radius=9)
    assert size_of(result.data) == size_of(PHOTO)
    assert (result.content_type, result.credits_charged) == ("image/png", 1)
    (fetched,) = [headers for method, _, headers in s3.gate.seen if method == "GET"]
    assert "apikey" not in fetched
    assert "authorization" not in fetched
    assert "idempotency-key" not in fetched


def test_calls_of_two_threads_that_share_a_client_get_equal_results_and_are_each_charged(
    api: Api, balance: Callable[[], int]
) -> None:
    before = balance()
    with Client(api.server.url, api.key) as client, ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda _: client.blur(PHOTO, radius=9).data, range(4)))
    assert len(set(results)) == 1
    assert balance() == before - 4
