from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from events import make
from requests_toolbelt import MultipartDecoder

from blur.api.upload import CONTENT_TYPES
from blur.imaging.decode.formats import BRANDS, SIGNATURES, detect_format
from blur_client.errors import SourceChangedError
from blur_client.form import FixedSizeReader, photo_form
from blur_client.source import HEAD_BYTES, Photo, media_type

if TYPE_CHECKING:
    from pathlib import Path

    from blur_client.source import PhotoInput


class Pipe(io.RawIOBase):
    """A stream that cannot seek, such as a pipe."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override] # `io` documents this type
        return self._content.readinto(buffer)


def sent(photo: Photo) -> list[tuple[bytes, bytes]]:
    """Return the disposition and the content of each part in the form for `photo`."""
    with photo_form({"radius": "12"}, "image", photo, None) as form:
        body, content_type = form.read(), form.content_type
    parts = MultipartDecoder(body, content_type).parts
    return [(part.headers[b"Content-Disposition"], part.content) for part in parts]


def test_every_kind_of_source_sends_the_same_bytes_on_each_attempt(tmp_path: Path) -> None:
    content = make.jpeg()
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    later = io.BytesIO(b"skipped" + content)
    later.seek(7)
    with path.open("rb") as file:
        sources: list[PhotoInput] = [path, str(path), content, file, later, Pipe(content)]  # type: ignore[list-item] # raw files have the same `read`
        for photo in map(Photo, sources):
            assert photo.size_bytes == len(content)
            assert photo.content_type == "image/jpeg"
            for _ in range(2):
                assert [part for _, part in sent(photo)] == [b"12", content]


def test_the_file_that_the_caller_opened_stays_open() -> None:
    file = io.BytesIO(make.jpeg())
    sent(Photo(file))
    assert not file.closed


@pytest.mark.parametrize(
    ("name", "sent_name"),
    [("my photo.jpg", "my photo.jpg"), ("日本.jpg", "__.jpg"), ('a"b\n.jpg', "ab.jpg")],
)
def test_unsafe_characters_in_the_file_name_are_removed_or_replaced(
    name: str, sent_name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(make.jpeg())
    assert sent(Photo(path))[1][0].decode() == f'form-data; name="image"; filename="{sent_name}"'


def test_the_progress_is_reported_up_to_the_last_byte() -> None:
    reports: list[tuple[int, int]] = []
    with photo_form(
        {}, "image", Photo(make.jpeg()), lambda *progress: reports.append(progress)
    ) as form:
        total = form.len
        while form.read(1000):
            pass
    assert len(reports) > 5
    assert reports == sorted(reports)
    assert reports[-1] == (total, total)


def test_a_file_that_shrinks_during_the_upload_is_an_error() -> None:
    file = FixedSizeReader(io.BytesIO(b"short"), 10)
    assert file.read(100) == b"short"
    with pytest.raises(SourceChangedError):
        file.read(100)


def test_the_client_recognises_every_supported_format_as_the_service_does() -> None:
    boxes = [(b"ftyp" + brand, 4) for brands, _ in BRANDS for brand in brands]
    for signature, at in [*((signature, at) for signature, at, _ in SIGNATURES), *boxes]:
        head = (bytes(3) + b"\x20" + bytes(at))[:at] + signature + bytes(HEAD_BYTES)
        kind = media_type(head)
        assert kind == f"image/{detect_format(head).lower()}"
        assert kind in CONTENT_TYPES


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x00\x00\x00\x1cftypavif\x00", "image/avif"),
        (b"\x00\x00\x00\x18ftypheic\x00", "image/heic"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "image/heic"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "image/avif"),
        (b"this is not an image", None),
        (b"", None),
    ],
)
def test_heic_and_avif_are_recognised_by_their_brands(head: bytes, kind: str | None) -> None:
    assert media_type(head) == kind
