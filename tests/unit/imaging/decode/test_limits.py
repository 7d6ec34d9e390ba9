"""Decompression bombs exceed the limits, and ordinary files do not."""

from __future__ import annotations

import struct
from contextlib import nullcontext as does_not_raise
from io import BytesIO

import pytest
from PIL import Image
from tests.unit.imaging.pictures import astronaut, saved

from blur.errors import InvalidImageError
from blur.imaging.decode.limits import (
    MAX_CHUNKS,
    MAX_SCANS,
    MAX_SEGMENTS,
    MAX_STRIPS,
    ORDINARY_SCANS,
    check_gif,
    check_jpeg,
    check_png,
    check_tiff,
)

SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x12\xff\x00\x34\xff\xd0\x56"
START = b"\xff\xd8\xff\xe0\x00\x08JFIF\x00\xda"
END = b"\xff\xd9"
BYTE, SHORT, LONG, LONG8 = 1, 3, 4, 16


def directory(*entries: tuple[int, int, int, int], order: str = "<", big: bool = False) -> bytes:
    """Return a TIFF's header and first directory with entries (tag, kind, count, value)."""
    mark = {"<": b"II", ">": b"MM"}[order]
    if big:
        head = mark + struct.pack(f"{order}HHHQQ", 43, 8, 0, 16, len(entries))
    else:
        head = mark + struct.pack(f"{order}HLH", 42, 8, len(entries))
    codes = {BYTE: "B", SHORT: "H", LONG: "L", LONG8: "Q"}
    value_bytes = 8 if big else 4
    return head + b"".join(
        struct.pack(f"{order}HH{'Q' if big else 'L'}", tag, kind, count)
        + struct.pack(order + codes[kind], value)[:value_bytes].ljust(value_bytes, b"\0")
        for tag, kind, count, value in entries
    )


def tiled(image: int, tile: int, kind: int = LONG) -> list[tuple[int, int, int, int]]:
    sides = {256: image, 257: image, 322: tile, 323: tile}
    return [(tag, kind, 1, side) for tag, side in sides.items()]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
def test_an_ordinary_jpeg_passes_the_limits(options: dict[str, bool]) -> None:
    with does_not_raise():
        check_jpeg(saved(Image.fromarray(astronaut()), "JPEG", **options))


def test_a_jpeg_with_more_scans_than_the_limit_is_rejected() -> None:
    check_jpeg(START + SCAN * MAX_SCANS + END)
    with pytest.raises(InvalidImageError, match="scans"):
        check_jpeg(START + SCAN * (MAX_SCANS + 1) + END)


def jpeg(width: int, height: int, scans: int, marker: int = 0xC2) -> bytes:
    frame = b"\xff" + bytes([marker]) + struct.pack(">HBHH", 17, 8, height, width) + bytes(10)
    return START + frame + SCAN * scans + END


@pytest.mark.parametrize(
    ("width", "height", "scans"),
    [
        (7000, 7000, ORDINARY_SCANS),
        (65_500, 65_500, ORDINARY_SCANS),
        (5000, 4000, 50),
        (2000, 1000, MAX_SCANS),
        (0, 9, MAX_SCANS),
    ],
)
@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2, 0xCA])
def test_the_larger_a_jpeg_is_the_fewer_scans_it_can_have(
    width: int, height: int, scans: int, marker: int
) -> None:
    check_jpeg(jpeg(width, height, scans, marker))
    with pytest.raises(InvalidImageError, match=f"more than {scans} scans"):
        check_jpeg(jpeg(width, height, scans + 1, marker))


def test_the_largest_frame_header_decides_how_many_scans_a_jpeg_can_have() -> None:
    small = jpeg(8, 8, 0).removeprefix(START).removesuffix(END)
    for data in (jpeg(7000, 7000, 30), START + small + jpeg(7000, 7000, 30).removeprefix(START)):
        with pytest.raises(InvalidImageError, match="more than 20 scans"):
            check_jpeg(data)


def test_a_tiff_with_progressive_jpeg_data_is_rejected() -> None:
    frame = bytes.fromhex("ffc2 0011 08 0010 0010 03 012200 021101 031101")
    for order in "<>":
        compressed = directory(*tiled(16, 16), (259, SHORT, 1, 7), order=order)
        with pytest.raises(InvalidImageError, match="progressive"):
            check_tiff(compressed + frame)
        check_tiff(compressed + frame.replace(b"\xff\xc2", b"\xff\xc0"))
        check_tiff(directory(*tiled(16, 16), (259, SHORT, 1, 8), order=order) + frame)


def test_scans_are_counted_even_if_the_file_has_no_end_marker() -> None:
    with pytest.raises(InvalidImageError, match="scans"):
        check_jpeg(START + b"\xff\xff" + SCAN * (MAX_SCANS + 1))


def test_a_jpeg_can_have_the_maximum_number_of_segments_before_its_first_scan() -> None:
    piece = b"\xff\xe1\x00\x09Exif\0\0x"
    check_jpeg(b"\xff\xd8" + piece * (MAX_SEGMENTS - 1) + SCAN + END)
    with pytest.raises(InvalidImageError, match="segments"):
        check_jpeg(b"\xff\xd8" + piece * MAX_SEGMENTS + SCAN + END)


def test_bytes_after_a_jpeg_or_inside_its_segments_do_not_count_as_scans() -> None:
    video = SCAN * (2 * MAX_SCANS)
    comment = b"\xff\xfe" + (len(video) + 2).to_bytes(2) + video
    with does_not_raise():
        check_jpeg(START + comment + SCAN + END + video)


def test_a_png_with_more_chunks_than_the_limit_is_rejected() -> None:
    start, chunk = b"\x89PNG\r\n\x1a\n", bytes(4) + b"juNk" + bytes(4)
    check_png(start + chunk * MAX_CHUNKS)
    with pytest.raises(InvalidImageError, match="chunks"):
        check_png(start + chunk * (MAX_CHUNKS + 1))


@pytest.mark.parametrize("piece", [b"\x01x", b"\0!\xfe\x01x\0!\xfe", b"\0" * 9])
def test_a_gif_with_too_many_blocks_before_its_first_frame_is_rejected(piece: bytes) -> None:
    whole = saved(Image.fromarray(astronaut(20, 20)), "GIF", comment=b"one")
    frame = whole.index(b",\0\0\0\0")
    check_gif(whole[:frame] + b"!\xfe" + piece * 9 + b"\0" + whole[frame:])
    with pytest.raises(InvalidImageError, match="blocks"):
        check_gif(whole[:frame] + b"!\xfe" + piece * MAX_CHUNKS + b"\0" + whole[frame:])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_the_size_limit_of_a_tile_depends_on_the_size_of_the_image(
    order: str, *, big: bool
) -> None:
    check_tiff(directory(*tiled(1, 4096), order=order, big=big))
    check_tiff(directory(*tiled(10_000, 10_016), order=order, big=big))
    with pytest.raises(InvalidImageError, match="tiles"):
        check_tiff(directory(*tiled(1, 44_000), order=order, big=big))


@pytest.mark.parametrize("kind", [SHORT, LONG, LONG8])
def test_the_size_of_a_tile_is_read_in_every_integer_type(kind: int) -> None:
    with pytest.raises(InvalidImageError, match="tiles"):
        check_tiff(directory(*tiled(200, 44_000, kind), big=True))


def test_a_tiff_is_rejected_if_one_of_two_entries_for_a_tag_exceeds_the_limit() -> None:
    contradictory = [*tiled(1, 44_000), *tiled(44_000, 256)]
    for entries in (contradictory, contradictory[::-1]):
        with pytest.raises(InvalidImageError, match="tiles"):
            check_tiff(directory(*entries))


@pytest.mark.parametrize("tag", [273, 324])
def test_a_tiff_with_more_strips_or_tiles_than_the_limit_is_rejected(tag: int) -> None:
    check_tiff(directory((tag, LONG, MAX_STRIPS, 8)))
    with pytest.raises(InvalidImageError, match="strips"):
        check_tiff(directory((tag, LONG, MAX_STRIPS + 1, 8)))


def test_a_directory_with_too_many_entries_is_rejected_before_it_is_read() -> None:
    with pytest.raises(InvalidImageError, match="entries"):
        check_tiff(b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, 1 << 40) + bytes(500))


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_an_ordinary_tiff_passes_the_limits(compression: str | None) -> None:
    options = {"compression": compression} if compression else {}
    whole = saved(Image.fromarray(astronaut()), "TIFF", **options)
    check_tiff(whole)
    assert Image.open(BytesIO(whole)).size == (512, 512)
