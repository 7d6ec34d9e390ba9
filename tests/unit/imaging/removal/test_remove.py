from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base
from tests.unit.imaging.pictures import astronaut, difference, disc, noise, saved

from blur.errors import ImageTooLargeError, InvalidImageError, NoSubjectError
from blur.imaging.removal.layout import Limit
from blur.imaging.removal.options import Margins, RemovalOptions
from blur.imaging.removal.remove import STEPS, Foreground, RemovedBackground, remove_background
from blur.imaging.roi import Length, parse_roi
from blur.parameter_errors import RoiExceedsBoundsError
from blur.removal_errors import InvalidBgImageError, ResultTooLargeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8

LIMIT = 1_000_000


class DiscPredictor:
    """A predictor that finds a disc in the middle of every photo."""

    side_px = 320

    def __init__(self, radius: float = 90) -> None:
        self.radius = radius
        self.input_shape: tuple[int, ...] = ()

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        self.input_shape = photo.shape
        return disc(320, 320, self.radius, 6).astype(np.float32) / np.float32(255)


def removed(
    data: bytes,
    *,
    radius: float = 90,
    watermarked: bool = False,
    **options: Any,  # noqa: ANN401 - the options' fields
) -> RemovedBackground:
    return remove_background(
        data,
        RemovalOptions(**{"max_megapixels": 25, **options}),
        model=DiscPredictor(radius),
        max_pixels=LIMIT,
        watermarked=watermarked,
    )


def pixels_of(result: RemovedBackground) -> RgbU8:
    return np.asarray(Image.open(BytesIO(result.image.data)))


def photo_file(height: int = 300, width: int = 400) -> bytes:
    return saved(Image.fromarray(astronaut(height, width)), "PNG")


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


def test_a_preview_has_a_quarter_of_a_megapixel_and_the_aspect_of_the_photo() -> None:
    result = removed(saved(Image.fromarray(noise(600, 800)), "PNG"), max_megapixels=0.25)
    assert result.size == (577, 433)
    assert result.max_size == (800, 600)


def test_on_step_gets_each_step_before_it_begins() -> None:
    steps: list[str] = []
    remove_background(
        photo_file(),
        RemovalOptions(),
        model=DiscPredictor(),
        max_pixels=LIMIT,
        on_step=steps.append,
    )
    assert tuple(steps) == STEPS


@pytest.mark.parametrize(
    "background",
    [b"text", photo_file()[:-200], saved(Image.new("RGB", (1001, 1000)), "PNG")],
    ids=["text", "truncated", "too large"],
)
@pytest.mark.parametrize("options", [{}, {"crop": True}])
def test_a_background_is_decoded_before_the_networks_run(
    background: bytes, options: dict[str, Any]
) -> None:
    model = DiscPredictor()
    steps: list[str] = []
    with pytest.raises(InvalidBgImageError):
        remove_background(
            photo_file(),
            RemovalOptions(background=background, **options),
            model=model,
            max_pixels=LIMIT,
            on_step=steps.append,
        )
    assert model.input_shape == ()
    assert steps == ["decode"]


def test_a_background_is_not_read_for_a_matte() -> None:
    result = removed(photo_file(), channels="alpha", background=b"text")
    assert result.size == (400, 300)


def test_a_background_keeps_its_detail_in_a_frame_that_is_larger_than_the_photo() -> None:
    lines = np.zeros((900, 900, 3), np.uint8)
    lines[:, ::2] = 255
    side = Length(500, is_percent=False)
    result = removed(
        photo_file(300, 300),
        crop=True,
        crop_margin=Margins(side, side, side, side),
        background=saved(Image.fromarray(lines), "JPEG", quality=100, subsampling=0),
        output="png",
    )
    assert min(result.size) > 1100
    assert pixels_of(result)[:400, :400].std() > 60


def test_a_photo_whose_subject_is_invisible_has_no_subject() -> None:
    transparent = np.dstack((noise(90, 80), np.zeros((90, 80), np.uint8)))
    with pytest.raises(NoSubjectError):
        removed(saved(Image.fromarray(transparent), "PNG"))


def percent(value: float) -> Length:
    return Length(value, is_percent=True)


def test_a_crop_shows_exactly_the_pixels_of_the_foreground() -> None:
    whole, crop = removed(photo_file()), removed(photo_file(), crop=True)
    top, left, width, height = whole.foreground
    assert crop.size == crop.max_size == (width, height)
    assert crop.foreground == Foreground(0, 0, width, height)
    shown = pixels_of(whole)[top : top + height, left : left + width]
    assert np.array_equal(pixels_of(crop)[..., 3], shown[..., 3])
    opaque = shown[..., 3] == 255
    assert np.array_equal(pixels_of(crop)[opaque], shown[opaque])
    edge = (shown[..., 3] > 0) & ~opaque
    alpha = shown[edge][:, 3:] / 255
    # Faint pixels have the colours of blocks, which start at the corner of each image.
    assert (difference(pixels_of(crop)[edge], shown[edge]) * alpha).mean() < 0.5


def test_margins_are_transparent_and_as_wide_as_requested() -> None:
    margins = Margins(percent(10), percent(20), percent(0), Length(7, is_percent=False))
    crop = removed(photo_file(), crop=True)
    wide = removed(photo_file(), crop=True, crop_margin=margins)
    (width, height), (top, left) = crop.size, (round(crop.size[1] / 10), 7)
    assert wide.size == (left + width + round(width / 5), top + height)
    assert wide.foreground == Foreground(top, left, width, height)
    pixels = pixels_of(wide)
    assert np.array_equal(pixels[top:, left : left + width], pixels_of(crop))
    assert not pixels[:top, :, 3].any()
    assert not pixels[:, :left, 3].any()


def test_the_subjects_colours_continue_into_the_margins() -> None:
    """Viewers that interpolate straight colour show no fringe at the edge of the crop."""
    margins = Margins(*[Length(60, is_percent=False)] * 4)
    pixels = pixels_of(removed(photo_file(), crop=True, crop_margin=margins))
    inside = slice(60, -60)
    assert np.array_equal(pixels[59, inside, :3], pixels[60, inside, :3])
    assert np.array_equal(pixels[60 - 32, inside, :3], pixels[60, inside, :3])
    assert (pixels[:20, :20] == pixels[0, 0]).all()


def test_a_position_moves_the_subjects_exact_pixels() -> None:
    crop = removed(photo_file(), crop=True)
    moved = removed(photo_file(), position=(1, 0))
    assert moved.size == (400, 300)
    width, height = crop.size
    assert moved.foreground == Foreground(0, 400 - width, width, height)
    assert np.array_equal(pixels_of(moved)[:height, 400 - width :], pixels_of(crop))


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0])
def test_a_scaled_subject_is_centred_and_has_its_share_of_the_frame(scale: float) -> None:
    result = removed(photo_file(), scale=scale)
    assert result.size == (400, 300)
    top, left, width, height = result.foreground
    assert height == pytest.approx(300 * scale, abs=2)
    assert top + height / 2 == pytest.approx(150, abs=1.5)
    assert left + width / 2 == pytest.approx(200, abs=1.5)


def test_an_enlarged_subject_keeps_its_colours() -> None:
    """Downscaled again, the enlarged subject has the photo's colours."""
    crop, large = removed(photo_file(), crop=True), removed(photo_file(), scale=1.0)
    top, left, width, height = large.foreground
    enlarged = Image.fromarray(pixels_of(large)[top : top + height, left : left + width])
    small = np.asarray(enlarged.convert("RGBa").resize(crop.size, Image.Resampling.BOX))
    expected = np.asarray(Image.fromarray(pixels_of(crop)).convert("RGBa"))
    assert difference(small, expected).mean() < 3


def test_the_subject_is_searched_for_only_in_the_region() -> None:
    result = removed(photo_file(), roi=parse_roi("0 0 50% 100%"), radius=150)
    top, left, width, height = result.foreground
    assert left + width <= 200
    assert result.size == (400, 300)
    crop = removed(photo_file(), roi=parse_roi("0 0 50% 100%"), radius=150, crop=True)
    assert crop.size == (width, height)
    assert not pixels_of(result)[:, 200:, 3].any()
    shown = pixels_of(result)[top : top + height, left : left + width]
    assert np.array_equal(pixels_of(crop)[..., 3], shown[..., 3])


@pytest.mark.parametrize("roi", ["0 0 100% 100%", "0 0 400 300", "0px 0px 400px 300px"])
def test_a_region_that_is_the_whole_photo_changes_nothing(roi: str) -> None:
    alpha = pixels_of(removed(photo_file()))[..., 3]
    assert np.array_equal(pixels_of(removed(photo_file(), roi=parse_roi(roi)))[..., 3], alpha)


def test_a_region_in_pixels_selects_the_same_part_in_a_preview() -> None:
    data = saved(Image.fromarray(noise(800, 800)), "JPEG")
    roi = parse_roi("0 0 400 800")
    full, preview = removed(data, roi=roi), removed(data, roi=roi, max_megapixels=0.25)
    assert preview.size == (500, 500)
    for own, other in zip(preview.foreground, full.foreground, strict=True):
        assert own == pytest.approx(other * 500 / 800, abs=2)


@pytest.mark.parametrize("background", [{}, {"colour": (255, 0, 0, 255)}])
def test_the_matte_is_the_alpha_of_the_cutout_with_any_background(
    background: dict[str, Any],
) -> None:
    result = removed(photo_file(), channels="alpha", scale=0.6, **background)
    assert result.image.content_type == "image/png"
    cutout = removed(photo_file(), scale=0.6)
    assert np.array_equal(pixels_of(result), pixels_of(cutout)[..., 3])
    assert result.foreground == cutout.foreground


def test_a_background_colour_surrounds_the_subject_and_makes_a_jpeg() -> None:
    result = removed(photo_file(), colour=(255, 0, 255, 255))
    assert result.image.content_type == "image/jpeg"
    exact = pixels_of(removed(photo_file(), colour=(255, 0, 255, 255), output="png"))
    assert exact.shape == (300, 400, 3)
    cutout = pixels_of(removed(photo_file()))
    assert (exact[cutout[..., 3] == 0] == (255, 0, 255)).all()
    opaque = cutout[..., 3] == 255
    assert np.array_equal(exact[opaque], astronaut(300, 400)[opaque])


def test_a_half_transparent_colour_makes_a_png_with_its_alpha() -> None:
    result = removed(photo_file(), colour=(255, 0, 255, 128))
    assert result.image.content_type == "image/png"
    pixels = pixels_of(result)
    cutout = pixels_of(removed(photo_file()))
    assert (pixels[cutout[..., 3] == 0] == (255, 0, 255, 128)).all()
    assert (pixels[cutout[..., 3] == 255][:, 3] == 255).all()
    assert result.foreground == removed(photo_file()).foreground


def test_a_background_image_fills_the_cropped_frame() -> None:
    background = saved(Image.new("RGB", (33, 44), (10, 200, 30)), "PNG")
    result = removed(photo_file(), crop=True, background=background, output="png")
    cutout = pixels_of(removed(photo_file(), crop=True))
    assert (pixels_of(result)[cutout[..., 3] == 0] == (10, 200, 30)).all()


def test_a_transparent_background_image_makes_a_png() -> None:
    background = saved(Image.new("RGBA", (33, 44), (10, 200, 30, 77)), "PNG")
    result = removed(photo_file(), background=background)
    assert result.image.content_type == "image/png"
    assert (pixels_of(result)[0] == (10, 200, 30, 77)).all()


@pytest.mark.parametrize("level", [0, 255])
def test_the_subject_has_no_halo_of_its_old_background(level: int) -> None:
    """A grey disc was in front of green: over black or white, no pixel is green.

    A plain composite has pixels whose green is 64 levels above red.
    """
    matte = disc(320, 320, 90, 6)[..., np.newaxis] / 255
    photo = matte * 90 + (1 - matte) * np.array((0, 255, 0))
    data = saved(Image.fromarray(photo.astype(np.uint8)), "PNG")
    pixels = pixels_of(removed(data, colour=(level, level, level, 255), output="png")).astype(int)
    assert (pixels[..., 1] - pixels[..., 0]).max() <= 30


def test_a_subject_that_fills_the_photo_is_a_jpeg() -> None:
    result = removed(photo_file(), radius=1000)
    assert result.image.content_type == "image/jpeg"
    assert result.foreground == Foreground(0, 0, 400, 300)
    assert removed(photo_file(), radius=1000, channels="alpha").image.content_type == "image/png"
    assert removed(photo_file(), radius=1000, scale=0.5).image.content_type == "image/png"


def test_a_subject_that_fills_a_photo_longer_than_a_jpeg_is_a_png() -> None:
    long = saved(Image.new("RGB", (65_501, 4), (9, 90, 200)), "PNG")
    result = removed(long, radius=1000)
    assert (result.image.content_type, result.size) == ("image/png", (65_501, 4))


@pytest.mark.parametrize("size", [(1000, 1000), (999, 1001), (800, 1203)])
def test_a_jpeg_preview_is_almost_the_full_result_made_smaller(size: tuple[int, int]) -> None:
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


def test_a_turned_jpeg_is_upright_in_a_preview() -> None:
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


def test_png_has_at_most_ten_megapixels() -> None:
    data = saved(Image.new("RGB", (4000, 3000), (90, 80, 70)), "PNG")
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


def test_without_the_networks_for_people_and_faces_the_type_is_other() -> None:
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
def test_the_type_is_person_if_people_and_faces_are_found(
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


def test_photos_have_the_decoders_limits() -> None:
    with pytest.raises(InvalidImageError):
        removed(b"text")
    with pytest.raises(ImageTooLargeError):
        removed(saved(Image.new("RGB", (1001, 1000)), "PNG"))


def test_a_region_outside_the_photo_is_rejected() -> None:
    with pytest.raises(RoiExceedsBoundsError):
        removed(photo_file(), roi=parse_roi("0 0 401 300"))


def test_a_result_above_the_response_limit_is_an_error() -> None:
    with pytest.raises(ResultTooLargeError):
        remove_background(
            photo_file(),
            RemovalOptions(),
            model=DiscPredictor(),
            max_pixels=LIMIT,
            max_bytes=1_000,
        )
