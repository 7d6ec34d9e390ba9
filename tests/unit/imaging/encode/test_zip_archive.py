from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile

from blur.imaging.encode.zip_archive import write_zip

if TYPE_CHECKING:
    import pytest


def test_the_archive_has_color_jpg_and_then_alpha_png_both_uncompressed() -> None:
    with ZipFile(BytesIO(write_zip(b"colours", b"matte"))) as archive:
        assert archive.namelist() == ["color.jpg", "alpha.png"]
        assert (archive.read("color.jpg"), archive.read("alpha.png")) == (b"colours", b"matte")
        assert {entry.compress_type for entry in archive.infolist()} == {ZIP_STORED}
        assert archive.testzip() is None


def test_the_bytes_of_an_archive_do_not_depend_on_the_time_or_the_operating_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = write_zip(b"colours", b"matte")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    monkeypatch.setattr("sys.platform", "win32")
    assert write_zip(b"colours", b"matte") == first


def test_the_files_in_the_archive_are_dated_1980_and_have_mode_644() -> None:
    with ZipFile(BytesIO(write_zip(b"colours", b"matte"))) as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.external_attr >> 16 == 0o644
