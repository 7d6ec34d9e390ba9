"""Photos without their background: pixels, sizes, formats, types and limits of results."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base
from tests.unit.imaging.pictures import astronaut, difference, noise, saved
from tests.unit.imaging.predictors import DiscPredictor
from tests.unit.imaging.removal.removed_photos import LIMIT, photo_file, pixels_of, removed

from blur.errors import ImageTooLargeError, InvalidImageError, NoSubjectError
from blur.imaging.removal.layout import Limit
from blur.imaging.removal.options import STEPS, RemovalOptions
from blur.imaging.removal.remove import remove_background
from blur.imaging.results import Foreground
from blur.imaging.roi import parse_roi
from blur.removal_errors import ResultTooLargeError


def test_the_result_is_a_transparent_png_with_the_photos_own_pixels() -> None:
    result = removed(photo_file())
    assert result.image.content_type == "image/png"
    assert result.size == result.max_size == (400, 300)
    pixels = pixels_of(result)
    opaque = pixels[..., 3] == 255
    assert opaque.mean() > 0.2
    assert np.array_equal(pixels[opaque][:, :3], astronaut(300, 400)[opaque])
    assert (pixels[0, :, 3] == 0).all()


def test_the_foreground_is_the_smallest_box_with_all_visible_pixels() -> None:
    result = removed(photo_file())
    rows, columns = np.nonzero(pixels_of(result)[..., 3])
    top, left = int(rows.min()), int(columns.min())
    expected = Foreground(top, left, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top)
    assert result.foreground == expected


def test_a_preview_has_a_quarter_of_a_megapixel_and_the_aspect_ratio_of_the_photo() -> None:
    result = removed(saved(Image.fromarray(noise(600, 800)), "PNG"), max_megapixels=0.25)
    assert result.size == (577, 433)
    assert result.max_size == (800, 600)


def test_on_step_is_called_with_each_step_in_order() -> None:
    steps: list[str] = []
    remove_background(
        photo_file(),
        RemovalOptions(),
        model=DiscPredictor(),
        max_pixels=LIMIT,
        on_step=steps.append,
    )
    assert tuple(steps) == STEPS


def test_a_transparent_photo_is_rejected_because_it_has_no_subject() -> None:
    transparent = np.dstack((noise(90, 80), np.zeros((90, 80), np.uint8)))
    with pytest.raises(NoSubjectError):
        removed(saved(Image.fromarray(transparent), "PNG"))


def test_the_result_is_a_jpeg_if_the_subject_fills_the_photo() -> None:
    result = removed(photo_file(), radius=1000)
    assert result.image.content_type == "image/jpeg"
    assert result.foreground == Foreground(0, 0, 400, 300)
    assert removed(photo_file(), radius=1000, channels="alpha").image.content_type == "image/png"
    assert removed(photo_file(), radius=1000, scale=0.5).image.content_type == "image/png"


def test_the_result_is_a_png_if_the_subject_fills_a_photo_that_is_too_long_for_a_jpeg() -> None:
    long = saved(Image.new("RGB", (65_501, 4), (9, 90, 200)), "PNG")
    result = removed(long, radius=1000)
    assert (result.image.content_type, result.size) == ("image/png", (65_501, 4))


@pytest.mark.parametrize("size", [(1000, 1000), (999, 1001), (800, 1203)])
def test_the_preview_of_a_jpeg_is_almost_equal_to_the_downscaled_full_result(
    size: tuple[int, int],
) -> None:
    photo = Image.fromarray(astronaut()).resize(size, Image.Resampling.LANCZOS)
    data = saved(photo, "JPEG", quality=92)
    preview = removed(data, max_megapixels=0.03)
    assert preview.size == Limit(30_000, 10**6).fit(size[::-1])[::-1]
    assert preview.max_size == size
    full = Image.fromarray(pixels_of(removed(data))).convert("RGBa")
    small = np.asarray(full.resize(preview.size, Image.Resampling.BOX))
    own = np.asarray(Image.fromarray(pixels_of(preview)).convert("RGBa"))
    assert difference(own, small).mean() < 2
    assert difference(own, small)[..., 3].mean() < 0.5


def test_the_preview_of_a_jpeg_with_an_orientation_is_upright() -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    photo = np.zeros((600, 1200, 3), np.uint8)
    photo[:, :600] = (200, 30, 40)
    data = saved(Image.fromarray(photo), "JPEG", exif=exif)
    preview = removed(data, max_megapixels=0.02, radius=150)
    assert preview.size == (100, 200)
    assert preview.max_size == (600, 1200)
    pixels = pixels_of(preview)
    assert pixels[50, 50, 0] > 150
    assert pixels[150, 50, 0] < 60


def test_a_png_has_at_most_10_megapixels_and_a_jpeg_can_have_more() -> None:
    data = saved(Image.new("RGB", (4000, 3000), (90, 80, 70)), "PNG", compress_level=1)
    sizes = {}
    for output in ("png", "jpg"):
        options = RemovalOptions(max_megapixels=25, output=output)
        result = remove_background(data, options, model=DiscPredictor(), max_pixels=12_000_000)
        sizes[output] = result.size, result.max_size
    assert sizes == {"png": ((3651, 2738),) * 2, "jpg": ((4000, 3000),) * 2}


def test_the_watermark_is_on_results_of_every_kind() -> None:
    for options in ({}, {"channels": "alpha"}, {"colour": (9, 9, 9, 255)}, {"crop": True}):
        plain = removed(photo_file(), **options)
        marked = removed(photo_file(), watermarked=True, **options)
        assert marked.size == plain.size
        assert marked.foreground == plain.foreground
        assert difference(pixels_of(marked), pixels_of(plain)).mean() > 2


def test_without_the_networks_for_people_and_faces_the_subject_type_is_other() -> None:
    assert removed(photo_file()).subject_type == "other"


@pytest.mark.parametrize(
    ("people", "faces", "expected"),
    [
        (90, 20, "person"),
        (60, 20, "other"),
        (0, 20, "other"),
        (90, -9, "other"),
        (90, None, "other"),
    ],
)
def test_the_type_is_person_only_if_a_person_and_a_face_are_found(
    people: float, faces: float | None, expected: str
) -> None:
    result = remove_background(
        photo_file(),
        RemovalOptions(),
        model=DiscPredictor(90),
        people=DiscPredictor(people),
        faces=None if faces is None else DiscPredictor(faces),
        max_pixels=LIMIT,
    )
    assert result.subject_type == expected


def test_faces_are_searched_for_in_the_region_of_interest_with_its_margin() -> None:
    faces = DiscPredictor(20)
    remove_background(
        photo_file(300, 400),
        RemovalOptions(roi=parse_roi("0 0 200 100")),
        model=DiscPredictor(160),
        people=DiscPredictor(160),
        faces=faces,
        max_pixels=LIMIT,
    )
    assert faces.input_shape == (110, 220, 3)


def test_a_photo_that_is_invalid_or_too_large_is_rejected() -> None:
    with pytest.raises(InvalidImageError):
        removed(b"text")
    with pytest.raises(ImageTooLargeError):
        removed(saved(Image.new("RGB", (1001, 1000)), "PNG"))


def test_a_result_above_the_response_limit_is_an_error() -> None:
    with pytest.raises(ResultTooLargeError):
        remove_background(
            photo_file(),
            RemovalOptions(),
            model=DiscPredictor(),
            max_pixels=LIMIT,
            max_bytes=1_000,
        )
