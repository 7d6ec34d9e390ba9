"""Blurred photos: pixels, alpha, colours, sizes, and options that are rejected."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import GPS, IFD, Base
from tests.unit.imaging.blurred_photos import LIMIT, blurred, encoded_result
from tests.unit.imaging.icc_profiles import SRGB, display_p3
from tests.unit.imaging.pictures import astronaut, difference, flat, noise, random_alpha, saved
from tests.unit.imaging.predictors import DiscPredictor

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.blur_options import STEPS, BlurOptions
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.encode.formats import OUTPUT_FORMATS
from blur.imaging.modes import MODES
from blur.imaging.pipeline import blur_photo
from blur.parameter_errors import (
    InvalidBlurError,
    InvalidFormatError,
    InvalidModeError,
    InvalidQualityError,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_the_result_has_the_photos_size_and_a_sharp_subject() -> None:
    photo = astronaut(220, 300)
    image = blurred(saved(Image.fromarray(photo), "PNG"), 12)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (300, 220))
    result = np.asarray(image)
    np.testing.assert_array_equal(result[80:140, 110:190], photo[80:140, 110:190])
    assert difference(result, photo)[:30].mean() > 2


def test_the_result_keeps_the_photos_alpha() -> None:
    alpha = random_alpha(90, 80)
    image = blurred(saved(Image.fromarray(np.dstack((noise(90, 80), alpha))), "PNG"))
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image)[..., 3], alpha)


def test_a_cutout_is_rgba_and_transparent_in_the_corners() -> None:
    image = blurred(saved(Image.fromarray(noise(90, 80)), "JPEG"), 3, mode="cutout")
    assert image.mode == "RGBA"
    alpha = np.asarray(image)[..., 3]
    assert alpha[45, 40] == 255
    assert alpha[0, 0] == alpha[-1, -1] == 0


@pytest.mark.parametrize("mode", MODES)
def test_the_profile_is_kept_and_other_metadata_is_removed(mode: str) -> None:
    exif = Image.Exif()
    exif[Base.Make] = "A person's camera"
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitudeRef] = "N"
    photo = Image.fromarray(noise(64, 64))
    options = {"exif": exif, "icc_profile": SRGB, "comment": b"a person's note"}
    image = blurred(saved(photo, "JPEG", **options), mode=mode)
    image.load()
    assert set(image.info) == {"icc_profile"}
    assert image.info["icc_profile"] == SRGB
    assert not image.getexif()


def test_the_same_photo_and_options_give_the_same_bytes() -> None:
    data = saved(Image.fromarray(astronaut(200, 200)), "PNG")
    assert encoded_result(data, radius_px=7) == encoded_result(data, radius_px=7)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("mode", MODES)
def test_every_kernel_blurs_in_every_mode(kernel: str, mode: str) -> None:
    data = saved(Image.fromarray(astronaut(200, 200)), "PNG")
    one = Image.open(BytesIO(encoded_result(data, kernel=kernel, mode=mode, radius_px=9).data))
    other = Image.open(BytesIO(encoded_result(data, mode=mode, radius_px=0).data))
    assert one.size == other.size
    assert one.mode == other.mode
    assert difference(np.asarray(one), np.asarray(other)).mean() > 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"mode": "bokeh"}, InvalidModeError),
        ({"kernel": "box"}, InvalidBlurError),
        ({"output": "bmp"}, InvalidFormatError),
        ({"quality": 0}, InvalidQualityError),
        ({"quality": 101}, InvalidQualityError),
    ],
)
def test_invalid_options_are_rejected_before_decoding(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        encoded_result(b"", **options)


def test_a_photo_too_large_for_the_format_is_rejected_before_the_model_runs() -> None:
    steps: list[str] = []
    options = BlurOptions(radius_px=5, output="webp")
    with pytest.raises(InvalidFormatError, match="16383"):
        blur_photo(
            saved(Image.new("RGB", (16_384, 1)), "PNG"),
            options,
            model=DiscPredictor(),
            max_pixels=LIMIT,
            on_step=steps.append,
        )
    assert steps == ["decode"]


def test_on_step_is_called_with_each_step_in_order() -> None:
    steps: list[str] = []
    data = saved(Image.fromarray(noise(20, 20)), "PNG")
    blur_photo(
        data,
        BlurOptions(radius_px=1),
        model=DiscPredictor(),
        max_pixels=LIMIT,
        on_step=steps.append,
    )
    assert tuple(steps) == STEPS


def test_a_file_that_is_broken_or_too_large_is_rejected() -> None:
    with pytest.raises(InvalidImageError):
        encoded_result(b"text")
    data = saved(Image.fromarray(noise(20, 20)), "PNG")
    with pytest.raises(ImageTooLargeError):
        blur_photo(data, BlurOptions(radius_px=1), model=DiscPredictor(), max_pixels=399)


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (3, 2), (40_000, 9)])
@pytest.mark.parametrize("mode", MODES)
def test_a_tiny_or_extremely_long_image_keeps_its_size(size: tuple[int, int], mode: str) -> None:
    data = saved(Image.new("RGB", size, (200, 100, 50)), "PNG")
    for kernel in KERNELS:
        image = Image.open(
            BytesIO(encoded_result(data, mode=mode, kernel=kernel, radius_px=50).data)
        )
        assert image.size == size


@pytest.mark.parametrize("output", OUTPUT_FORMATS)
def test_a_display_p3_photo_keeps_its_colours_in_every_format(output: str) -> None:
    """The colours are too saturated for sRGB, so the test compares photo and result in Lab."""
    image = np.full((120, 120, 3), (250, 20, 10), np.uint8)
    image[:, 60:] = (10, 240, 30)
    photo = Image.fromarray(image)
    data = saved(photo, "PNG", icc_profile=display_p3())
    result = Image.open(BytesIO(encoded_result(data, radius_px=3, output=output, quality=95).data))
    assert result.info["icc_profile"] == display_p3()
    inside = (slice(45, 75), slice(40, 55))
    distance = lab(result.convert("RGB"))[inside].astype(float) - lab(photo)[inside]
    assert np.sqrt((distance**2).sum(axis=2)).mean() < (0.1 if output == "png" else 6)


def lab(image: Image.Image) -> NDArray[np.uint8]:
    """Convert an image in Display P3 to Lab."""
    source = ImageCms.ImageCmsProfile(BytesIO(display_p3()))
    target = ImageCms.createProfile("LAB")
    transformed = ImageCms.profileToProfile(image, source, target, outputMode="LAB")
    assert transformed is not None
    return np.asarray(transformed)


@pytest.mark.parametrize(
    ("side_px", "input_shape"), [(320, (400, 500, 3)), (1024, (1600, 2000, 3))]
)
def test_the_model_gets_a_working_copy_of_at_least_its_input_size(
    side_px: int, input_shape: tuple[int, ...]
) -> None:
    model = DiscPredictor(side_px=side_px)
    data = saved(Image.fromarray(flat(1600, 2000, (90, 80, 70))), "PNG", compress_level=1)
    blur_photo(data, BlurOptions(radius_px=1), model=model, max_pixels=10 * LIMIT)
    assert model.input_shape == input_shape


def test_the_working_copy_of_an_extremely_long_photo_has_a_limited_size() -> None:
    class MatteFoundError(Exception):
        """Stops the pipeline after the matte: the later steps are slow for this large photo."""

    def stop(step: str) -> None:
        if step == "refine":
            raise MatteFoundError

    model = DiscPredictor()
    data = saved(Image.new("RGB", (1_000_000, 30)), "PNG", compress_level=1)
    with pytest.raises(MatteFoundError):
        blur_photo(data, BlurOptions(radius_px=1), model=model, max_pixels=50 * LIMIT, on_step=stop)
    assert model.input_shape == (15, 500_000, 3)
