"""The photo and the background image of a request."""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256

import pytest

from blur.api.removebg.body import Fields
from blur.api.removebg.sources import MAX_FILE_BYTES, background_source, image_source
from blur.errors import ApiError, InvalidImageError, UnsupportedImageError
from blur.fetching.errors import (
    DownloadError,
    DownloadTooLargeError,
    FetchError,
    InvalidUrlError,
    NotAnImageError,
)
from blur.removal_errors import (
    FailedBgDownloadError,
    FailedImageDownloadError,
    FileTooLargeError,
    InvalidBgImageUrlError,
    InvalidImageUrlError,
    MissingSourceError,
    MultipleBgSourcesError,
    MultipleSourcesError,
)

PHOTO = bytes(range(256)) + b"x"
URL = "https://example.com/photo.jpg"


def texts(**values: str) -> Fields:
    return Fields(values, {})


def fetch_photo(url: str) -> bytes:
    assert url == URL
    return PHOTO


def raising(error: FetchError) -> Callable[[str], bytes]:
    def fetch(_: str) -> bytes:
        raise error

    return fetch


def test_the_field_image_file_is_loaded_as_the_photo() -> None:
    source = image_source(Fields({}, {"image_file": PHOTO}), None)
    assert source.load() == PHOTO
    assert source.digest() == sha256(PHOTO).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(PHOTO).decode(),
        base64.encodebytes(PHOTO).decode(),
        base64.b64encode(PHOTO).decode().rstrip("="),
        base64.b64encode(PHOTO).decode() + "=",
        "data:image/png;base64," + base64.b64encode(PHOTO).decode(),
        "DATA:;base64,\r\n " + base64.encodebytes(PHOTO).decode().replace("\n", "\r\n\t"),
    ],
)
def test_base64_is_decoded_despite_white_space_a_data_url_prefix_or_wrong_padding(
    text: str,
) -> None:
    source = image_source(texts(image_file_b64=text), None)
    assert source.load() == PHOTO
    assert source.digest() == image_source(Fields({}, {"image_file": PHOTO}), None).digest()


def test_base64_that_ends_with_x_is_decoded_completely() -> None:
    """Only `=` and white space are removed from the end of the text."""
    assert image_source(texts(image_file_b64="AAAX"), None).load() == b"\0\0\x17"


@pytest.mark.parametrize(
    "text", ["a photo!", "é", "\ud800", "aGk=aGk=", "data:x,*,aGk=", "A", "data:image/png;base64,*"]
)
def test_text_that_is_not_base64_is_rejected(text: str) -> None:
    with pytest.raises(InvalidImageError, match="not valid base64"):
        image_source(texts(image_file_b64=text), None)


def test_a_url_is_fetched_only_when_the_image_is_loaded() -> None:
    fetched = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return PHOTO

    source = image_source(texts(image_url=URL), fetch)
    assert source.digest() != image_source(texts(image_url=URL + "?"), fetch).digest()
    assert fetched == []
    assert source.load() == PHOTO
    assert fetched == [URL]


def test_exactly_one_photo_is_required() -> None:
    with pytest.raises(MissingSourceError, match="image_file_b64"):
        image_source(texts(size="auto"), None)
    for other in ({"image_url": URL}, {"image_file_b64": "aGk="}):
        with pytest.raises(MultipleSourcesError, match="image_file and"):
            image_source(Fields(other, {"image_file": PHOTO}), fetch_photo)
    with pytest.raises(MultipleSourcesError):
        image_source(texts(image_url=URL, image_file_b64="aGk="), fetch_photo)


def test_the_error_for_a_file_that_is_sent_as_text_names_multipart_form_data() -> None:
    with pytest.raises(MissingSourceError, match="multipart/form-data"):
        image_source(Fields({}, {}, frozenset({"image_file"})), None)
    with pytest.raises(ApiError, match="multipart/form-data"):
        background_source(Fields({}, {}, frozenset({"bg_image_file"})), None)


def test_files_of_more_than_22_megabytes_are_rejected() -> None:
    largest = bytes(MAX_FILE_BYTES)
    assert image_source(Fields({}, {"image_file": largest}), None).load() == largest
    for fields in (
        Fields({}, {"image_file": largest + b"x"}),
        texts(image_file_b64=base64.b64encode(largest + b"x").decode()),
    ):
        with pytest.raises(FileTooLargeError, match="22000000"):
            image_source(fields, None)
    with pytest.raises(FileTooLargeError, match="22000000"):
        background_source(Fields({}, {"bg_image_file": largest + b"x"}), None)


def test_urls_are_rejected_if_the_server_does_not_fetch_them() -> None:
    with pytest.raises(InvalidImageUrlError, match=r"does not fetch.*'image_url'"):
        image_source(texts(image_url=URL), None)
    with pytest.raises(InvalidBgImageUrlError, match=r"does not fetch.*'bg_image_url'"):
        background_source(texts(bg_image_url=URL), None)


@pytest.mark.parametrize(
    ("raised", "of_image", "of_background"),
    [
        (InvalidUrlError, InvalidImageUrlError, InvalidBgImageUrlError),
        (DownloadError, FailedImageDownloadError, FailedBgDownloadError),
        (DownloadTooLargeError, FileTooLargeError, FailedBgDownloadError),
        (NotAnImageError, UnsupportedImageError, FailedBgDownloadError),
    ],
)
def test_a_failed_download_raises_different_errors_for_the_photo_and_the_background(
    raised: type[FetchError], of_image: type[ApiError], of_background: type[ApiError]
) -> None:
    fetch = raising(raised("the reason"))
    with pytest.raises(of_image, match="the reason"):
        image_source(texts(image_url=URL), fetch).load()
    background = background_source(texts(bg_image_url=URL), fetch)
    assert background is not None
    with pytest.raises(of_background, match="the reason"):
        background.load()


def test_more_than_one_background_is_rejected() -> None:
    file = {"bg_image_file": PHOTO}
    assert background_source(texts(bg_color="red"), None) is None
    assert background_source(texts(), None) is None
    source = background_source(Fields({}, file), None)
    assert source is not None
    assert source.load() == PHOTO
    several = ({"bg_color": "red"}, {"bg_image_url": URL}, {"bg_color": "red", "bg_image_url": URL})
    for values in several:
        with pytest.raises(MultipleBgSourcesError, match="bg_image_file"):
            background_source(Fields(values, file), fetch_photo)
