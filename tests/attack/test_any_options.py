"""Random options on unusual files: each call returns a valid result or a documented error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import cv2
import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.ExifTags import Base
from tests.trials import size
from tests.unit.imaging.icc_profiles import SRGB, cmyk_profile, display_p3, grey_profile
from tests.unit.imaging.pictures import noise, random_alpha, saved

from blur.errors import InvalidImageError, NoSubjectError
from blur.imaging.removal.options import CHANNELS, OUTPUTS, SIZES, Margins, RemovalOptions
from blur.imaging.removal.output import largest
from blur.imaging.removal.remove import remove_background
from blur.imaging.roi import Length, Roi, parse_roi
from blur.parameter_errors import RoiExceedsBoundsError, RoiRegionEmptyError
from blur.removal_errors import InvalidBgImageError, ResultTooLargeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8
    from blur.imaging.results import RemovedBackground

pillow_heif.register_heif_opener()  # so that Pillow can write HEIC
DOCUMENTED = (
    *(InvalidImageError, InvalidBgImageError, NoSubjectError),
    *(RoiExceedsBoundsError, RoiRegionEmptyError, ResultTooLargeError),
)
"""The errors that a call with valid options can get: for a file, a region or a limit."""
EXAMPLES = size(40, full=400)
"""The number of examples for each file. With 40, all files together need about 1,000 calls."""


SIDE_PX = 80
"""The side of the model's input. It is shorter than that of the real model, because most of the
time of a call is spent on arrays of this size. The files are smaller and larger than this side."""


class CornerPredictor:
    """A stand-in for the model: its subject is a rectangle of `columns` columns at the left."""

    side_px = SIDE_PX

    def __init__(self, columns: int) -> None:
        self.columns = columns

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        assert photo.dtype == np.uint8
        subject = np.zeros((SIDE_PX, SIDE_PX), np.float32)
        subject[SIDE_PX // 4 : SIDE_PX * 4 // 5, : self.columns] = 1
        return subject


def rotated(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    return saved(Image.fromarray(noise(30, 50)), "JPEG", exif=exif)


def animated(file_format: str) -> bytes:
    frames = [Image.fromarray(noise(30, 40, seed)) for seed in range(3)]
    return saved(frames[0], file_format, save_all=True, append_images=frames[1:])


def with_alpha(alpha: NDArray[np.uint8], file_format: str = "PNG") -> bytes:
    return saved(Image.fromarray(np.dstack((noise(*alpha.shape), alpha))), file_format)


def deep() -> bytes:
    samples = noise(30, 40).astype(np.uint16) << 8
    return bytes(cv2.imencode(".png", samples)[1])


def grey(file_format: str, **options: bytes) -> bytes:
    return saved(Image.fromarray(noise(30, 40)[..., 0]), file_format, **options)


def rgb(height: int, width: int, file_format: str = "PNG", **options: bytes) -> bytes:
    return saved(Image.fromarray(noise(height, width)), file_format, **options)


FILES: dict[str, bytes] = {
    "one pixel": rgb(1, 1),
    "one column": rgb(300, 1),
    "one row": rgb(1, 300),
    "long": rgb(3, 9000),
    "too long for a jpeg": rgb(2, 65_600),
    "square": rgb(64, 64),
    "jpeg": rgb(175, 225, "JPEG"),
    "odd jpeg": rgb(61, 1033, "JPEG"),
    "turned": rotated(6),
    "mirrored": rotated(5),
    "own alpha": with_alpha(random_alpha(30, 40)),
    "transparent": with_alpha(np.zeros((30, 40), np.uint8)),
    "half": with_alpha(np.repeat(np.array([[0], [255]], np.uint8), 20, 0).repeat(40, 1)),
    "webp": with_alpha(random_alpha(30, 40), "WEBP"),
    "gif": animated("GIF"),
    "animated webp": animated("WEBP"),
    "apng": animated("PNG"),
    "grey jpeg": grey("JPEG"),
    "grey profile": grey("PNG", icc_profile=grey_profile(1.8)),
    "cmyk": saved(
        Image.fromarray(noise(30, 40)).convert("CMYK"),
        "JPEG",
        icc_profile=cmyk_profile(cyan_prints_red=True),
    ),
    "16 bits": deep(),
    "display p3": rgb(30, 40, icc_profile=display_p3()),
    "tiff": rgb(30, 40, "TIFF"),
    "bmp": rgb(30, 40, "BMP"),
    "avif": rgb(30, 40, "AVIF", icc_profile=SRGB),
    "heic": rgb(30, 40, "HEIF"),
    "broken": rgb(30, 40)[:-30],
}

lengths = st.one_of(
    st.builds(Length, st.sampled_from([0.0, 1.0, 7.5, 500.0]), is_percent=st.just(value=False)),
    st.builds(
        Length, st.sampled_from([0.0, 3.3, 25.0, 50.0, 99.0]), is_percent=st.just(value=True)
    ),
)
shares = st.sampled_from([0.0, 0.123, 0.5, 1.0])
options = st.builds(
    RemovalOptions,
    max_megapixels=st.sampled_from([*SIZES.values(), 0.0009]),
    roi=st.one_of(
        st.none(),
        st.sampled_from(["0 0 100% 100%", "10% 20% 90% 100%", "0 1 50% 99%"]).map(parse_roi),
        st.sampled_from(["20% 0 99% 80%", "0px 0px 90% 90%"]).map(parse_roi),
        st.just(None),
        st.builds(Roi, lengths, lengths, lengths, lengths),
    ),
    crop=st.booleans(),
    crop_margin=st.builds(Margins, lengths, lengths, lengths, lengths),
    scale=st.one_of(st.none(), st.sampled_from([0.1, 0.5, 1.0])),
    position=st.one_of(st.none(), st.just("original"), st.tuples(shares, shares)),
    channels=st.sampled_from(CHANNELS),
    colour=st.one_of(st.none(), st.tuples(*[st.sampled_from([0, 128, 255])] * 4)),
    background=st.one_of(st.none(), st.sampled_from(list(FILES.values()))),
    output=st.sampled_from(OUTPUTS),
)


@dataclass(frozen=True)
class Call:
    """The arguments of `remove_background` except the file and the options."""

    columns: int
    watermarked: bool
    max_bytes: int | None

    def __call__(self, data: bytes, drawn: RemovalOptions) -> RemovedBackground:
        return remove_background(
            data,
            drawn,
            model=CornerPredictor(self.columns),
            people=CornerPredictor(self.columns // 2),
            max_pixels=1_000_000,
            watermarked=self.watermarked,
            max_bytes=self.max_bytes,
            accepts=lambda content_type: content_type == "application/zip",
        )


calls = st.builds(
    Call,
    columns=st.sampled_from([22, 40, 62, SIDE_PX, 50, 30, 1, 0]),
    watermarked=st.booleans(),
    max_bytes=st.sampled_from([None, None, None, None, 9_000, 100]),
)


@pytest.fixture(scope="module", autouse=True)
def quick_conversion() -> Iterator[None]:
    """Convert each photo's colours once: each CMYK conversion takes longer than the whole call."""
    convert: Any = ImageCms.profileToProfile
    converted: dict[tuple[object, ...], Image.Image] = {}

    def convert_once(
        image: Image.Image, source: ImageCms.ImageCmsProfile, *others: object, **more: object
    ) -> Image.Image:
        key = (image.mode, image.size, image.tobytes(), source.tobytes(), str(more))
        if key not in converted:
            converted[key] = convert(image, source, *others, **more)
        return converted[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageCms, "profileToProfile", convert_once)
        yield


@pytest.mark.parametrize("name", FILES)
def test_any_options_on_any_file_give_a_valid_result_or_a_documented_error(
    name: str,
) -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(options, calls)
    def check(drawn: RemovalOptions, call: Call) -> None:
        with suppress(*DOCUMENTED):
            check_result(call(FILES[name], drawn), drawn, call.max_bytes)

    check()


def check_result(result: RemovedBackground, drawn: RemovalOptions, max_bytes: int | None) -> None:
    width, height = result.size
    assert max_bytes is None or len(result.image.data) <= max_bytes
    assert width * height <= drawn.max_megapixels * 1e6
    assert width <= result.max_size[0]
    assert height <= result.max_size[1]
    top, left, columns, rows = result.foreground
    assert min(top, left) >= 0
    assert min(columns, rows) >= 1
    assert left + columns <= width
    assert top + rows <= height
    for image in images_of(result):
        assert image.size == result.size
        image.load()
    if drawn.output != "auto":
        limit = largest(drawn.output, drawn.max_megapixels)
        assert max(result.size) <= limit.side_px


def images_of(result: RemovedBackground) -> list[Image.Image]:
    file = BytesIO(result.image.data)
    if result.image.content_type != "application/zip":
        return [Image.open(file)]
    with ZipFile(file) as archive:
        return [Image.open(BytesIO(archive.read(name))) for name in ("color.jpg", "alpha.png")]
