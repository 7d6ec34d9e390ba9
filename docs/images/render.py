"""Draws the documentation's pictures.

`before-after.jpg`: the sample photo before and after. `gallery-*.jpg`: difficult details,
enlarged: the photo, a plain blur behind rembg's mask, and our result. For the page, `site/` has
the sample photo and its bokeh. The photos are scikit-image's samples: NASA's portrait of Eileen
Collins, Stefan van der Walt's cat Chelsea (both public domain) and Lav Varshney's man with a
camera (CC0).

    make gallery
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageFilter
from skimage import data

from blur.imaging.matting.matte import stretch
from blur.imaging.matting.models import MODELS
from blur.imaging.matting.session import Model, open_model
from blur.imaging.options import BlurOptions
from blur.imaging.pipeline import blur_photo

if TYPE_CHECKING:
    from blur.imaging.arrays import RgbU8

HERE = Path(__file__).parent
SITE = HERE.parents[1] / "site"
RADIUS_PX = 12
ZOOM = 3
GAP_PX = 8
WHITE = 255
EXAMPLE = BlurOptions(radius_px=8, kernel="bokeh", output="jpeg")


class Crop(NamedTuple):
    """A part of one of scikit-image's photos."""

    photo: str
    left: int
    top: int
    right: int
    bottom: int

    def of(self, picture: RgbU8) -> RgbU8:
        """Cut it out and enlarge it."""
        part = picture[self.top : self.bottom, self.left : self.right]
        size = (ZOOM * part.shape[1], ZOOM * part.shape[0])
        return np.asarray(Image.fromarray(part).resize(size, Image.Resampling.LANCZOS))


GALLERY = {
    "hair": Crop("astronaut", 110, 20, 250, 130),
    "whiskers": Crop("chelsea", 10, 190, 150, 300),
    "hands": Crop("camera", 190, 160, 330, 270),
    "border": Crop("chelsea", 305, 0, 445, 110),
}


def main() -> None:
    """Write every picture."""
    model = open_model(MODELS["u2netp-light"], HERE.parents[1] / "build" / "models", threads=1)
    sample = np.asarray(Image.open(HERE / "astronaut.jpg").convert("RGB"))
    save("before-after", [sample, blurred(model, sample)])
    draw_example(model)
    for name, crop in GALLERY.items():
        photo = np.asarray(Image.fromarray(getattr(data, crop.photo)()).convert("RGB"))
        pictures = (photo, plainly_blurred(model, photo), blurred(model, photo))
        save(f"gallery-{name}", [crop.of(picture) for picture in pictures])


def draw_example(model: Model) -> None:
    """Write the example of the page."""
    file = (HERE / "astronaut.jpg").read_bytes()
    made = blur_photo(file, EXAMPLE, model=model, max_pixels=1_000_000)
    (SITE / "sample.jpg").write_bytes(file)
    (SITE / "sample-blurred.jpg").write_bytes(made.image.data)


def blurred(model: Model, photo: RgbU8) -> RgbU8:
    """Blur it as the API does."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    options = BlurOptions(radius_px=RADIUS_PX)
    made = blur_photo(file.getvalue(), options, model=model, max_pixels=photo.size)
    return np.asarray(Image.open(io.BytesIO(made.image.data)))


def plainly_blurred(model: Model, photo: RgbU8) -> RgbU8:
    """Blur it in the usual simple way: rembg's mask between the photo and its Gaussian."""
    sharp = Image.fromarray(photo)
    mask = Image.fromarray(stretch(model.predict(photo)))
    mask = mask.resize(sharp.size, Image.Resampling.LANCZOS)
    return np.asarray(
        Image.composite(sharp, sharp.filter(ImageFilter.GaussianBlur(RADIUS_PX)), mask)
    )


def save(name: str, pictures: list[RgbU8]) -> None:
    """Put pictures of one height side by side into a file."""
    gap = np.full((pictures[0].shape[0], GAP_PX, 3), WHITE, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)][:-1]
    side_by_side = Image.fromarray(np.concatenate(parts, axis=1))
    side_by_side.save(HERE / f"{name}.jpg", quality=90, optimize=True)


if __name__ == "__main__":
    main()
