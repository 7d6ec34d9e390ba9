"""Background removal with the real models: clean edges, and previews like the full results."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from tests.networks import open_shared
from tests.unit.imaging.pictures import sample_photo

from blur.errors import NoSubjectError
from blur.imaging.matting.matte import predict_maps
from blur.imaging.matting.models import FACES, MODELS, PEOPLE
from blur.imaging.removal.options import RemovalOptions
from blur.imaging.removal.remove import remove_background
from blur.imaging.removal.subject_type import confirmed_share
from blur.imaging.roi import parse_roi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from blur.imaging.results import RemovedBackground

    Remove = Callable[..., RemovedBackground]

HEAD = "25% 0 75% 60%"
"""The region of the astronaut's photo with the head and the shoulders."""
BACKGROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "magenta": (255, 0, 255)}


@pytest.fixture(scope="module")
def remove(model_dir: Path) -> Remove:
    networks = (MODELS["u2netp-light"], PEOPLE, FACES)
    model, people, faces = (open_shared(network, model_dir) for network in networks)

    def call(file: bytes, **options: Any) -> RemovedBackground:  # noqa: ANN401 - any fields of the options
        drawn = RemovalOptions(**{"max_megapixels": 25, **options})
        return remove_background(
            file, drawn, model=model, people=people, faces=faces, max_pixels=12_000_000
        )

    return call


def photo(name: str, width: int | None = None) -> bytes:
    """Return a photo from scikit-image as JPEG, enlarged to `width` pixels if `width` is given."""
    image = Image.fromarray(sample_photo(name))
    if width is not None:
        size = (width, round(image.height * width / image.width))
        image = image.resize(size, Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()


def opened(file: bytes) -> Image.Image:
    return Image.open(BytesIO(file))


def rebuilt(archive: bytes) -> Image.Image:
    """Build a cutout from a ZIP archive as the official clients do: JPEG colours plus alpha."""
    with ZipFile(BytesIO(archive)) as entries:
        image = opened(entries.read("color.jpg"))
        image.putalpha(opened(entries.read("alpha.png")))
    return image


def over(image: Image.Image, colour: tuple[int, int, int]) -> NDArray[np.int16]:
    behind = Image.new("RGBA", image.size, colour)
    return np.asarray(Image.alpha_composite(behind, image).convert("RGB")).astype(np.int16)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_image_built_from_the_zip_looks_like_the_cutout_on_each_background(
    remove: Remove, name: str
) -> None:
    cutout = opened(remove(photo(name), output="png").image.data)
    built = rebuilt(remove(photo(name), output="zip").image.data)
    alpha = np.asarray(cutout.getchannel("A"))
    assert np.array_equal(np.asarray(built.getchannel("A")), alpha)
    edge = (alpha > 0) & (alpha < 255)
    for colour in BACKGROUNDS.values():
        off = np.abs(over(built, colour) - over(cutout, colour))
        assert off[edge].mean() < 2.5
        assert off[alpha == 0].max() == 0


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_preview_of_a_large_jpeg_is_close_to_the_full_result_reduced_to_the_same_size(
    remove: Remove, name: str
) -> None:
    file = photo(name, 2000)
    preview, full = remove(file, max_megapixels=0.25), remove(file, output="webp")
    assert preview.max_size[0] == 2000
    own = np.asarray(opened(preview.image.data).convert("RGBa")).astype(np.int16)
    small = opened(full.image.data).convert("RGBa").resize(preview.size, Image.Resampling.BOX)
    off = np.abs(own - np.asarray(small))
    assert off[..., 3].mean() < 1
    assert off.mean() < 2
    for side, of_full in zip(preview.foreground, full.foreground, strict=True):
        assert side == pytest.approx(of_full * preview.size[0] / 2000, abs=4)


def test_with_a_new_background_the_face_is_unchanged_and_the_old_background_is_not_visible(
    remove: Remove,
) -> None:
    astronaut = sample_photo("astronaut")
    file = BytesIO()
    Image.fromarray(astronaut).save(file, "PNG")
    behind = BytesIO()
    Image.new("RGB", (300, 200), (20, 200, 60)).save(behind, "PNG")
    result = remove(file.getvalue(), background=behind.getvalue(), output="png")
    pixels = np.asarray(opened(result.image.data))
    face = (slice(60, 130), slice(195, 260))
    assert np.mean(pixels[face] == astronaut[face]) > 0.95
    assert (pixels[:100, -60:] == (20, 200, 60)).all()
    assert result.subject_type == "person"


def test_cat_cropped_with_scale_50_percent_is_centred_and_fills_half_of_the_frame(
    remove: Remove,
) -> None:
    result = remove(photo("chelsea"), crop=True, scale=0.5)
    top, left, width, height = result.foreground
    assert abs(2 * top + height - result.size[1]) <= 2
    assert abs(2 * left + width - result.size[0]) <= 2
    assert max(width / result.size[0], height / result.size[1]) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("options", [{}, {"max_megapixels": 0.25}, {"roi": parse_roi(HEAD)}])
def test_the_subject_type_of_the_astronaut_is_person_also_in_a_preview_and_in_a_region(
    remove: Remove, options: dict[str, Any]
) -> None:
    assert remove(photo("astronaut", 1500), **options).subject_type == "person"


@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_cat_and_cup_have_the_subject_type_other(remove: Remove, name: str) -> None:
    assert remove(photo(name)).subject_type == "other"


def test_without_the_network_for_faces_most_of_a_cat_is_mistaken_for_a_person(
    model_dir: Path,
) -> None:
    model, people = open_shared(MODELS["u2netp-light"], model_dir), open_shared(PEOPLE, model_dir)
    assert confirmed_share(predict_maps(model, sample_photo("chelsea"), people=people)) > 0.9


def test_photo_without_a_subject_is_rejected(remove: Remove) -> None:
    file = BytesIO()
    Image.new("RGB", (400, 300), (90, 120, 140)).save(file, "JPEG")
    with pytest.raises(NoSubjectError):
        remove(file.getvalue())
