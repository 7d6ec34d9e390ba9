from __future__ import annotations

import zlib
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, disc, noise, sample_photo

from blur.imaging.compositing.composite import cutout_colours
from blur.imaging.compositing.scene import Scene
from blur.imaging.encode.png import SIGNATURE, STRIP_BYTES, write_png
from blur.imaging.encode.png_compact import (
    DEFLATERS,
    GRAIN_DEFLATER,
    GROUP_ROWS,
    MAX_GRAIN_PIXELS,
    CompactStrips,
)
from blur.imaging.encode.png_compact import STRIP_BYTES as COMPACT_STRIP_BYTES
from blur.imaging.encode.png_filters import AVERAGE, PAETH, SUB, UP

if TYPE_CHECKING:
    from blur.imaging.arrays import ImageU8


class Chunk(NamedTuple):
    kind: bytes
    data: bytes
    crc: int


def chunks(png: bytes) -> list[Chunk]:
    """Return the chunks of a file (W3C PNG, 5.3); check that each chunk ends within the file."""
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
def test_pillow_reads_an_image_of_any_size_back_exactly(  # noqa: PLR0913 - parameters of the test
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


def test_the_strips_of_a_png_form_one_valid_zlib_stream() -> None:
    image = noise(STRIP_BYTES // 3000 * 2 + 5, 1000)
    png = write_png(image)
    assert sum(chunk.kind == b"IDAT" for chunk in chunks(png)) > 3
    assert len(inflated(png)) == image.size + len(image)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png))), image)


def test_an_image_with_rows_larger_than_a_strip_is_written_completely() -> None:
    image = noise(2, STRIP_BYTES // 3 + 1)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(write_png(image)))), image)


@pytest.mark.parametrize(
    ("compact", "strip_bytes"), [(False, STRIP_BYTES), (True, COMPACT_STRIP_BYTES)]
)
def test_the_file_does_not_depend_on_the_number_of_threads(
    *, compact: bool, strip_bytes: int
) -> None:
    image = noise(strip_bytes // 3000 * 2 + 5, 1000)
    encoded = write_png(image, compact=compact)
    for threads in (1, 3):
        assert write_png(image, threads=threads, compact=compact) == encoded


def test_the_profile_is_read_back_unchanged() -> None:
    assert Image.open(BytesIO(write_png(noise(5, 5), SRGB))).info["icc_profile"] == SRGB


def test_a_photo_takes_at_most_a_tenth_more_bytes_than_with_pillows_default() -> None:
    photo, file = astronaut(), BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    assert len(write_png(photo)) < 1.1 * len(file.getvalue())


def test_a_non_contiguous_array_is_encoded_correctly() -> None:
    image = noise(20, 30)[:, ::-1]
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(write_png(image)))), image)


def cutout(height: int, width: int, colour: int = 90) -> ImageU8:
    """Return RGBA with a photo inside a disc, and with one colour around the disc."""
    matte = disc(height, width, min(height, width) / 3)
    photo = np.resize(astronaut(), (height, width, 3))
    image = np.dstack((photo, matte))
    image[matte == 0, :3] = colour
    return image


def row_filters(png: bytes, image: ImageU8) -> list[int]:
    """Return each row's filter type."""
    rows = np.frombuffer(inflated(png), np.uint8).reshape(len(image), -1)
    types: list[int] = rows[:, 0].tolist()
    return types


@pytest.mark.parametrize(
    "shape", [(300, 200), (90, 3000), (2 * (COMPACT_STRIP_BYTES // 4000) + 7, 1000)]
)
def test_pillow_and_opencv_read_a_compact_cutout_back_exactly(shape: tuple[int, int]) -> None:
    image = cutout(*shape)
    png = write_png(image, compact=True)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png))), image)
    blue_first = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(cv2.cvtColor(blue_first, cv2.COLOR_BGRA2RGBA), image)


def distance(one: int, other: int) -> int:
    return abs(one - other)


def test_every_group_of_rows_gets_the_filter_that_makes_the_group_smallest() -> None:
    size, rng = GROUP_ROWS, np.random.default_rng(0)
    like_upper = noise(size, size)
    for y in range(1, size):
        is_new = rng.random(size) < 0.1
        like_upper[y, ~is_new] = like_upper[y - 1, ~is_new]
    like_mean = noise(size, size).astype(int)
    for y, x in np.ndindex(size - 1, size - 1):
        like_mean[y + 1, x + 1] = (like_mean[y, x + 1] + like_mean[y + 1, x]) // 2
    like_nearest = noise(size, size).astype(int)
    for y, x, c in np.ndindex(size - 1, size - 1, 3):
        upper_left, upper, left = like_nearest[y : y + 2, x : x + 2, c].ravel()[:3]
        if rng.random() < 0.9:
            nearest = partial(distance, left + upper - upper_left)
            like_nearest[y + 1, x + 1, c] = min((left, upper, upper_left), key=nearest)
    parts = (like_upper, like_upper.swapaxes(0, 1), like_mean, like_nearest)
    image = np.vstack(parts).astype(np.uint8)
    png = write_png(image, compact=True)
    assert row_filters(png, image)[::GROUP_ROWS] == [UP, SUB, AVERAGE, PAETH]
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png))), image)
    assert set(row_filters(write_png(image), image)) == {UP}


def test_a_compact_cutout_is_at_least_5_percent_smaller_than_the_usual_png() -> None:
    image = cutout(600, 800)
    assert len(write_png(image, compact=True)) < 0.95 * len(write_png(image))


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_a_compact_cutout_is_at_most_one_percent_larger_than_pillows_default(
    name: str,
) -> None:
    """Pillow needs several times as long to write its file as `write_png` needs."""
    photo = sample_photo(name)
    image, file = np.dstack((photo, disc(photo.shape[0], photo.shape[1], 150))), BytesIO()
    image[image[..., 3] == 0] = 0
    Image.fromarray(image).save(file, "PNG")
    assert len(write_png(image, compact=True)) < 1.01 * len(file.getvalue())


def test_small_images_with_fine_grain_are_compressed_by_the_deflater_for_grain() -> None:
    smooth, grain = sample_photo("chelsea"), astronaut()
    choices = [CompactStrips(photo).deflater for photo in (smooth, grain, 0 * smooth)]
    assert choices == [DEFLATERS[0][1], GRAIN_DEFLATER, DEFLATERS[0][1]]
    larger = np.tile(grain, (4, 5, 1))
    assert len(larger) * larger.shape[1] > MAX_GRAIN_PIXELS
    assert CompactStrips(larger).deflater == DEFLATERS[-1][1]


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_colours_of_transparent_pixels_make_a_compact_cutout_at_most_one_percent_larger(
    name: str,
) -> None:
    photo = sample_photo(name)
    matte = disc(photo.shape[0], photo.shape[1], 120)
    scene = Scene.decompose(photo, matte)
    image = np.dstack((cutout_colours(photo, matte, scene.layers), matte))
    black = np.where(matte[..., np.newaxis] > 0, image, np.uint8(0))
    assert len(write_png(image, compact=True)) < 1.01 * len(write_png(black, compact=True))


@pytest.mark.parametrize("pixels", [limit for limit, _ in DEFLATERS[:-1]])
@pytest.mark.parametrize("more", [0, 1])
def test_a_compact_png_of_any_size_is_decoded_to_the_same_pixels(pixels: int, more: int) -> None:
    """The strips of a narrow image have many rows; those of a wide image have one group of rows."""
    width = pixels // 1024
    image = np.zeros((1024 + more, width, 4), np.uint8)
    image[300:420, :80] = np.dstack((noise(120, 80), noise(120, 80)[..., 0]))
    png = write_png(image, compact=True)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png))), image)


def test_each_strip_of_a_compact_png_consists_of_whole_groups_of_rows() -> None:
    image = noise(3 * GROUP_ROWS + 1, COMPACT_STRIP_BYTES // 60)
    png = write_png(image, compact=True)
    assert sum(chunk.kind == b"IDAT" for chunk in chunks(png)) == 4 + 1
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png))), image)
