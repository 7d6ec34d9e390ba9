"""The route for uploads reads the request, presigns the upload and makes the JSON response."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts import keys
from blur.accounts.model import Instant, KeyKind
from blur.api.request import HttpRequest
from blur.api.upload import read_upload, upload_document, upload_route
from blur.credits import ZERO, whole
from blur.errors import ImageTooLargeError, InvalidRequestError
from blur.parameter_errors import InvalidBytesError, InvalidContentTypeError
from blur.storage.owned_uploads import PresignedUpload
from blur.storage.ports import PresignedForm

JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=X"
NOW = Instant(1_800_000_000_000_000)
KEY = keys.mint(KeyKind.LIVE, "a" * 12, lambda count: b"k" * count)
STATUS = AccountStatus(ZERO, whole(2), RateLimitStatus(RateLimit(60, 10), 4, 6))


def request(body: str, content_type: str | None = JSON, **headers: str) -> HttpRequest:
    all_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type is not None:
        all_headers["content-type"] = content_type
    return HttpRequest("POST", "/v2/uploads", all_headers, "req_1", body, False, 1, "/v2/uploads")  # noqa: FBT003


def multipart(**fields: str) -> str:
    return "".join(
        f'--X\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ) + ("--X--\r\n")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"content_type": "image/heic", "bytes": 12345}', JSON),
        ('{"content_type": "image/heic", "bytes": "012345"}', JSON),
        (
            '{"content_type": "image/heic", "bytes": 12345}',
            " Application/JSON ; charset=utf-8; a=b",
        ),
        ("content_type=image%2Fheic&bytes=12345", URLENCODED),
        ("content_type=image/png&content_type=image/heic&bytes=12345", URLENCODED),
        (multipart(content_type="image/heic", bytes="12345"), MULTIPART),
    ],
)
def test_an_upload_can_be_requested_as_json_or_as_a_form(body: str, content_type: str) -> None:
    assert read_upload(request(body, content_type)) == ("image/heic", 12345)


def test_the_last_value_of_a_repeated_part_is_used() -> None:
    body = multipart(content_type="image/png", bytes="1").removesuffix("--X--\r\n")
    twice = body + multipart(content_type="image/webp", bytes="2")
    assert read_upload(request(twice, MULTIPART)) == ("image/webp", 2)


@pytest.mark.parametrize(
    "name", ["jpeg", "png", "webp", "bmp", "gif", "tiff", "heic", "heif", "avif"]
)
def test_every_supported_format_can_be_uploaded(name: str) -> None:
    body = json.dumps({"content_type": f"image/{name}", "bytes": 1})
    assert read_upload(request(body)) == (f"image/{name}", 1)


@pytest.mark.parametrize("content_type", [None, 7, "", "image/svg+xml", "IMAGE/PNG", ["image/png"]])
def test_the_error_for_an_unsupported_content_type_lists_the_supported_types(
    content_type: object,
) -> None:
    body = json.dumps({"content_type": content_type, "bytes": 1})
    with pytest.raises(InvalidContentTypeError, match=r"Send one of: image/.*, image/heif"):
        read_upload(request(body))


@pytest.mark.parametrize(
    "size", [None, True, False, 0, -1, 1.5, "", "0", "one", "1e3", " 1", 10**15, "9" * 5_000]
)
def test_a_size_that_is_not_a_whole_number_or_is_below_1_or_too_large_is_rejected(
    size: object,
) -> None:
    body = json.dumps({"content_type": "image/png", "bytes": size})
    with pytest.raises(InvalidBytesError, match="whole number of at least 1"):
        read_upload(request(body))


def test_a_size_of_fifteen_digits_is_accepted() -> None:
    body = json.dumps({"content_type": "image/png", "bytes": 10**15 - 1})
    assert read_upload(request(body)) == ("image/png", 10**15 - 1)


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        ("{", JSON, "not valid JSON"),
        ("[" * 9_000, JSON, "not valid JSON"),
        ("[]", JSON, "not a JSON object"),
        ('"text"', JSON, "not a JSON object"),
        ("&".join(f"f{n}=1" for n in range(21)), URLENCODED, "too many fields"),
        ("content_type=image/png&bytes=1", "text/plain", "'Content-Type: application/json'"),
        ("content_type=image/png&bytes=1", None, "'Content-Type: application/json'"),
        (' {"bytes": 1}', URLENCODED, "is JSON, not a form"),
    ],
)
def test_a_body_that_is_neither_a_json_object_nor_a_valid_form_is_rejected(
    body: str, content_type: str | None, message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        read_upload(request(body, content_type))


def test_a_form_with_twenty_fields_is_accepted() -> None:
    more = "&".join(f"f{n}=1" for n in range(18))
    asked = request(f"content_type=image/png&bytes=1&{more}", URLENCODED)
    assert read_upload(asked) == ("image/png", 1)


def test_a_content_type_that_is_not_valid_utf_8_is_rejected() -> None:
    asked = request(multipart(content_type="image/png\xff", bytes="1"), MULTIPART)
    with pytest.raises(InvalidContentTypeError):
        read_upload(asked)


def test_a_request_of_more_than_10000_bytes_is_rejected() -> None:
    body = '{"content_type": "image/png", "bytes": 1}'
    assert read_upload(request(body.ljust(10_000))) == ("image/png", 1)
    with pytest.raises(ImageTooLargeError, match=r"more than 10000 bytes\.$"):
        read_upload(request(body.ljust(10_001)))


def url_of(form_url: str, **headers: str) -> str:
    form = PresignedForm(form_url, {"key": "name"}, Instant(1_800_000_000_000_000))
    document = upload_document(PresignedUpload("up-1", form), request("", **headers))
    assert document == {
        "upload_id": "up-1",
        "url": document["url"],
        "fields": {"key": "name"},
        "expires_at": "2027-01-15T08:00:00Z",
    }
    return str(document["url"])


def test_an_absolute_form_url_is_unchanged() -> None:
    url = "https://bucket.example/"
    assert url_of(url, host="localhost", x_forwarded_proto="http") == url


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:8080"])
def test_a_relative_form_url_is_completed_with_a_loopback_host(host: str) -> None:
    assert url_of("/media", host=host, x_forwarded_proto="https") == f"http://{host}/media"


@pytest.mark.parametrize(
    "host",
    [
        *("", "[", "a b", "a/b", "attacker.example", "10.0.0.1:80", "[2001:db8::1f]:8080"),
        *("localhost.attacker.example", "localhost@attacker.example", "localhost:80@a.example"),
        *("127.0.0.1.attacker.example", "1127.0.0.1", "127.0.0.1:port", "localhost:123456"),
    ],
)
def test_a_relative_form_url_stays_relative_if_the_host_is_not_a_loopback_host(host: str) -> None:
    headers = {"host": host, "x_forwarded_proto": "https", "x_forwarded_host": "a.example"}
    assert url_of("/media", **headers, forwarded="host=a.example") == "/media"


def test_without_a_host_header_a_relative_form_url_stays_relative() -> None:
    assert url_of("/media") == "/media"


class RecordingUploads:
    """A fake `Uploads` that records the arguments of each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def presign_upload(self, *arguments: object, now_us: int) -> PresignedUpload:
        self.calls.append((*arguments, now_us))
        return PresignedUpload("up-1", PresignedForm("/form", {}, NOW))


class OneKeyService:
    """A fake service that accepts one key, and whose clock always shows `NOW`."""

    @contextmanager
    def authorized(self, key: keys.ApiKey) -> Iterator[AccountStatus]:
        assert key == keys.parse(KEY)
        yield STATUS

    def clock(self) -> Instant:
        return NOW


def test_an_upload_is_presigned_for_the_key_of_the_request_and_the_status_is_201() -> None:
    uploads, service = RecordingUploads(), OneKeyService()
    asked = request('{"content_type": "image/png", "bytes": 7}', apikey=KEY)
    reply = upload_route(cast("Any", service), cast("Any", uploads))(asked)
    assert uploads.calls == [(keys.parse(KEY).digest, "image/png", 7, NOW)]
    assert asked.measured.status == STATUS
    assert reply.status_code == 201
    assert json.loads(reply.body or "") == upload_document(
        PresignedUpload("up-1", PresignedForm("/form", {}, NOW)), asked
    )
    assert reply.headers["X-Request-Id"] == "req_1"
    assert reply.headers["X-Credits-Remaining"] == "2"
