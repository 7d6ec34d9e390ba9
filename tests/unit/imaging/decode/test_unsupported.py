"""The error for an unsupported file names the format of the file."""

from __future__ import annotations

import pytest

from blur.errors import InvalidImageError
from blur.imaging.decode.decoder import decode
from blur.imaging.decode.formats import INPUT_FORMAT_NAMES

SUPPORTED = f"Send one of: {INPUT_FORMAT_NAMES}.$"
FILES = {
    "A PDF": [b"%PDF-1.7\n"],
    "An SVG": [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg/>",
        b"\xef\xbb\xbf\n<svg>",
    ],
    r"A Photoshop file \(PSD\)": [b"8BPS\0\1"],
    "JPEG XL": [b"\xff\x0a\0\0", b"\0\0\0\x0cJXL \r\n\x87\n"],
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0"],
    "A camera raw file": [
        b"FUJIFILMCCD-RAW 0201",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
    ],
    "A video": [
        b"\0\0\0\x18ftypmp42\0\0\0\0",
        b"\0\0\0\x14ftypqt  \0\0\0\0",
        b"\0\0\0\x20ftypisom\0\0\2\0",
        b"\x1aE\xdf\xa3\x01",
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\x18ftypdash\0\0\0\0",
    ],
    "An HTML page": [b"<!doctype html>\n<title>404</title>", b"\n<!DOCTYPE html>", b"<HTML>"],
}


@pytest.mark.parametrize(("name", "data"), [(name, data) for name in FILES for data in FILES[name]])
def test_the_error_for_a_known_but_unsupported_format_names_the_format(
    name: str, data: bytes
) -> None:
    with pytest.raises(InvalidImageError, match=f"^{name} is not supported. {SUPPORTED}"):
        decode(data + bytes(200), max_pixels=100)


@pytest.mark.parametrize("data", [b"hello", b"<note/>", bytes(300)])
def test_the_error_for_unknown_data_is_unsupported_image_format(data: bytes) -> None:
    with pytest.raises(InvalidImageError, match=f"^Unsupported image format. {SUPPORTED}"):
        decode(data, max_pixels=100)
