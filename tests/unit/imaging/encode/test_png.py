from __future__ import annotations

import zlib
from io import BytesIO
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, noise

from blur.imaging.encode.png import SIGNATURE, STRIP_BYTES, write_png


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
    seed=st.integers(0, 1000),
)
def test_pillow_reads_back_any_size_exactly(
    height: int, width: int, channels: int, seed: int
) -> None:
    shape = (height, width, channels)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    image = Image.open(BytesIO(write_png(pixels)))
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


@pytest.mark.parametrize("threads", [1, 3])
def test_the_file_is_the_same_on_any_number_of_threads(threads: int) -> None:
    image = noise(STRIP_BYTES // 3000 * 2 + 5, 1000)
    assert write_png(image, threads=threads) == write_png(image)


def test_the_profile_is_read_back_unchanged() -> None:
    assert Image.open(BytesIO(write_png(noise(5, 5), SRGB))).info["icc_profile"] == SRGB


def test_a_photo_takes_at_most_a_tenth_more_than_with_pillows_default() -> None:
    photo, file = astronaut(), BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    assert len(write_png(photo)) < 1.1 * len(file.getvalue())


def test_a_non_contiguous_array_is_encoded_correctly() -> None:
    image = noise(20, 30)[:, ::-1]
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(write_png(image)))), image)
