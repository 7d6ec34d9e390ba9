from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, disc, noise

from blur.imaging.encode.png import (
    FILTER_PAETH,
    FILTER_UP,
    SIGNATURE,
    STRIP_BYTES,
    filter_up,
    find_changes,
    write_png,
)

if TYPE_CHECKING:
    from blur.imaging.arrays import ImageU8


class Chunk(NamedTuple):
    kind: bytes
    data: bytes
    crc: int


def chunks(png: bytes) -> list[Chunk]:
    """Parse a file (W3C PNG, 5.3); a wrong length leads beyond its end."""
    assert png.startswith(SIGNATURE)
    parsed, at = [], len(SIGNATURE)
    while at < len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4])
        assert end + 4 <= len(png)
        parsed.append(
            Chunk(png[at + 4 : at + 8], png[at + 8 : end], int.from_bytes(png[end : end + 4]))
        )
        at = end + 4
    return parsed


def inflated(png: bytes) -> bytes:
    """Inflate the image data with zlib, which verifies the checksum of the stream."""
    inflater = zlib.decompressobj()
    rows = inflater.decompress(
        b"".join(chunk.data for chunk in chunks(png) if chunk.kind == b"IDAT")
    )
    assert inflater.eof
    assert not inflater.unused_data
    return rows


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    channels=st.sampled_from([3, 4]),
    levels=st.sampled_from([2, 256]),
    compact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_pillow_reads_back_any_size_exactly(  # noqa: PLR0913 - the cases
    *, height: int, width: int, channels: int, levels: int, compact: bool, seed: int
) -> None:
    shape = (height, width, channels)
    pixels = np.random.default_rng(seed).integers(0, levels, shape, np.uint8)
    image = Image.open(BytesIO(write_png(pixels, compact=compact)))
    assert (image.format, image.mode) == ("PNG", {3: "RGB", 4: "RGBA"}[channels])
    np.testing.assert_array_equal(np.asarray(image), pixels)


def test_every_chunk_has_a_valid_length_and_crc() -> None:
    parsed = chunks(write_png(noise(40, 30), SRGB))
    kinds = [chunk.kind for chunk in parsed]
    assert kinds[:2] == [b"IHDR", b"iCCP"]
    assert set(kinds[2:-1]) == {b"IDAT"}
    assert kinds[-1] == b"IEND"
    assert all(zlib.crc32(chunk.kind + chunk.data) == chunk.crc for chunk in parsed)


def test_many_strips_are_one_stream() -> None:
    image = noise(STRIP_BYTES // 3000 * 2 + 5, 1000)
    png = write_png(image)
    assert sum(chunk.kind == b"IDAT" for chunk in chunks(png)) > 3
    assert len(inflated(png)) == image.size + len(image)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png))), image)


def test_a_row_larger_than_a_strip_is_complete() -> None:
    image = noise(2, STRIP_BYTES // 3 + 1)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(write_png(image)))), image)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_file_is_the_same_on_any_number_of_threads(*, threads: int, compact: bool) -> None:
    image = noise(STRIP_BYTES // 3000 * 2 + 5, 1000)
    encoded = write_png(image, threads=threads, compact=compact)
    assert encoded == write_png(image, compact=compact)


def test_the_profile_is_read_back_unchanged() -> None:
    assert Image.open(BytesIO(write_png(noise(5, 5), SRGB))).info["icc_profile"] == SRGB


def test_a_photo_takes_at_most_a_tenth_more_than_with_pillows_default() -> None:
    photo, file = astronaut(), BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    assert len(write_png(photo)) < 1.1 * len(file.getvalue())


def test_a_non_contiguous_array_is_encoded_correctly() -> None:
    image = noise(20, 30)[:, ::-1]
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(write_png(image)))), image)


def cutout(height: int, width: int, colour: int = 90) -> ImageU8:
    """A photo in a disc, and one colour around it."""
    matte = disc(height, width, min(height, width) / 3)
    photo = np.resize(astronaut(), (height, width, 3))
    image = np.dstack((photo, matte))
    image[matte == 0, :3] = colour
    return image


def filters(png: bytes, image: ImageU8) -> set[int]:
    """Return the types of the filters of all rows."""
    rows = np.frombuffer(inflated(png), np.uint8).reshape(len(image), -1)
    return set(rows[:, 0].tolist())


@pytest.mark.parametrize("shape", [(300, 200), (90, 3000), (2 * (STRIP_BYTES // 4000) + 7, 1000)])
def test_a_compact_cutout_is_read_back_exactly(shape: tuple[int, int]) -> None:
    image = cutout(*shape)
    decoded = Image.open(BytesIO(write_png(image, compact=True)))
    np.testing.assert_array_equal(np.asarray(decoded), image)


def test_every_strip_gets_the_filter_with_the_smaller_data() -> None:
    stripes = np.repeat(noise(1, 64), 64, axis=0)
    stripes[40:, ::2] ^= 1
    for image, expected in ((cutout(300, 400), {FILTER_UP, FILTER_PAETH}), (stripes, {FILTER_UP})):
        png = write_png(image, compact=True)
        assert filters(png, image) == expected
        np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png))), image)
        assert filters(write_png(image), image) == {FILTER_UP}


def test_a_compact_cutout_is_smaller() -> None:
    image = cutout(600, 800)
    assert len(write_png(image, compact=True)) < 0.95 * len(write_png(image))


def test_the_constant_part_of_a_strip_is_not_filtered_again() -> None:
    image = np.full((40, 50, 4), 7, np.uint8)
    image[10:20, 30:35] = noise(10, 5)[..., [0, 1, 2, 0]] | 8
    changes = find_changes(filter_up(image, 0, 40), 4, 0)
    assert changes is not None
    assert (changes.rows, changes.columns) == (slice(10, 21), slice(30, 36))


@pytest.mark.parametrize("top", [0, 5])
def test_a_constant_strip_has_no_changes(top: int) -> None:
    image = np.full((40, 50, 4), 7, np.uint8)
    assert find_changes(filter_up(image, top, 40), 4, top) is None
