"""Draws the documentation's pictures.

- `before-after.jpg` shows the sample photo before and after.
- `gallery-*.jpg` show difficult details of a photo, of a plain blur with rembg's mask, and of our
  result, enlarged.
- `depth-*.jpg` show a photo, `depth=flat` and `depth=ground`.
- `removal.jpg` shows a photo, and its subject in three frames.

The script also writes the sample photo and its blurred result into `site/`, for the page.

The photos are scikit-image's samples: NASA's portrait of Eileen Collins, Stefan van der Walt's cat
Chelsea, SpaceX's rocket (all public domain), Lav Varshney's man with a camera and Rachel
Michetti's coffee (both CC0). The scenes of benchmarks/ground_scenes.py are made of these photos
and of scikit-image's brick and gravel (CC0).

    make gallery
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ground_scenes import Subject, World, render
from PIL import Image, ImageFilter
from skimage import data

from blur.imaging.blur_options import DEPTHS, BlurOptions
from blur.imaging.compositing.scene import Scene
from blur.imaging.depth.ground import find_ground
from blur.imaging.matting.matte import stretch
from blur.imaging.matting.models import MODELS
from blur.imaging.matting.session import Model, open_model, open_people_model
from blur.imaging.modes import blur_background
from blur.imaging.pipeline import blur_photo
from blur.imaging.removal.options import Margins, RemovalOptions
from blur.imaging.removal.remove import remove_background
from blur.imaging.roi import Length

if TYPE_CHECKING:
    from blur.imaging.arrays import RgbU8

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build" / "models"
SITE = HERE.parents[1] / "site"
RADIUS_PX = 12
ZOOM = 3
GAP_PX = 8
DEPTH_HEIGHT_PX = 300
WHITE = 255
REMOVAL_HEIGHT_PX = 240
SQUARE_PX = 10
LEFT, BOTTOM = 0.0, 1.0
EXAMPLE = BlurOptions(radius_px=8, kernel="bokeh", output="jpeg")


class Crop(NamedTuple):
    """A part of a photo from scikit-image."""

    photo: str
    left: int
    top: int
    right: int
    bottom: int

    def of(self, picture: RgbU8) -> RgbU8:
        """Cut this part out of a picture and enlarge it."""
        part = picture[self.top : self.bottom, self.left : self.right]
        size = (ZOOM * part.shape[1], ZOOM * part.shape[0])
        return np.asarray(Image.fromarray(part).resize(size, Image.Resampling.LANCZOS))


GALLERY = {
    "hair": Crop("astronaut", 110, 20, 250, 130),
    "hands": Crop("camera", 190, 160, 330, 270),
    "border": Crop("chelsea", 305, 0, 445, 110),
}
DEPTH_PHOTOS = {"table": "coffee", "distant": "rocket", "portrait": "astronaut"}
"""scikit-image's photos that show `depth`, blurred with the model's matte."""
DEPTH_SCENES = {
    "people": World(
        (Subject("person", 1.65, 5.0, 0.6), Subject("person", 1.7, 3.3, -0.6)), horizon=0.15
    ),
    "bicycle": World((Subject("bicycle", 1.1, 3.0),), "gravel", horizon=0.1),
    "step": World((Subject("person", 1.5, 3.6),), step_m=0.3, horizon=0.25),
    "wall": World((Subject("person", 1.65, 3.4),), backdrop_m=4.2, horizon=0.2),
    "air": World((Subject("box", 0.5, 2.5, raised_m=0.6),), horizon=0.2),
}
"""Rendered scenes that show `depth`, blurred with their true alpha."""


def main() -> None:
    """Draw all pictures and write their files."""
    model = open_model(MODELS["u2netp-light"], FOLDER, threads=1)
    sample = np.asarray(Image.open(HERE / "astronaut.jpg").convert("RGB"))
    save("before-after", [sample, blurred(model, sample)])
    draw_example(model)
    for name, crop in GALLERY.items():
        photo = np.asarray(Image.fromarray(getattr(data, crop.photo)()).convert("RGB"))
        pictures = (photo, plainly_blurred(model, photo), blurred(model, photo))
        save(f"gallery-{name}", [crop.of(picture) for picture in pictures])
    for name, sample_name in DEPTH_PHOTOS.items():
        save_depths(name, depths_of_photo(model, getattr(data, sample_name)()))
    for name, world in DEPTH_SCENES.items():
        save_depths(name, depths_of_scene(world))
    draw_removals(model)


def draw_removals(model: Model) -> None:
    """Draw a photo and three results of its background removal, side by side."""
    file, gravel = (png(getattr(data, name)()) for name in ("coffee", "gravel"))
    margin = Length(10, is_percent=True)
    options = (
        RemovalOptions(max_megapixels=25, crop=True, crop_margin=Margins(*[margin] * 4)),
        RemovalOptions(
            max_megapixels=25, scale=0.6, position=(LEFT, BOTTOM), colour=(230, 190, 60, 255)
        ),
        RemovalOptions(max_megapixels=25, scale=0.9, background=gravel),
    )
    people = open_people_model(FOLDER, threads=1)
    files = [file]
    for each in options:
        result = remove_background(file, each, model=model, people=people, max_pixels=1_000_000)
        files.append(result.image.data)
    pictures = [over_squares(Image.open(io.BytesIO(each)).convert("RGBA")) for each in files]
    save("removal", pictures, quality=80)


def over_squares(image: Image.Image) -> RgbU8:
    """Resize an image to `REMOVAL_HEIGHT_PX`, and show its transparency with grey squares."""
    size = (round(image.width * REMOVAL_HEIGHT_PX / image.height), REMOVAL_HEIGHT_PX)
    small = image.resize(size, Image.Resampling.LANCZOS)
    rows, columns = np.mgrid[: size[1], : size[0]] // SQUARE_PX
    grey = np.where((rows + columns) % 2, 204, WHITE).astype(np.uint8)
    squares = Image.fromarray(grey).convert("RGBA")
    return np.asarray(Image.alpha_composite(squares, small).convert("RGB"))


def png(photo: RgbU8) -> bytes:
    """Return a photo as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(photo).convert("RGB").save(file, "PNG")
    return file.getvalue()


def draw_example(model: Model) -> None:
    """Write the example of the page: the sample photo and its blurred result."""
    file = (HERE / "astronaut.jpg").read_bytes()
    result = blur_photo(file, EXAMPLE, model=model, max_pixels=1_000_000)
    (SITE / "sample.jpg").write_bytes(file)
    (SITE / "sample-blurred.jpg").write_bytes(result.image.data)


def blurred(model: Model, photo: RgbU8) -> RgbU8:
    """Return the photo with its background blurred, as the API does it."""
    options = BlurOptions(radius_px=RADIUS_PX)
    result = blur_photo(png(photo), options, model=model, max_pixels=photo.size)
    return np.asarray(Image.open(io.BytesIO(result.image.data)))


def plainly_blurred(model: Model, photo: RgbU8) -> RgbU8:
    """Blur the photo as a simple service does: rembg's mask selects where it stays sharp."""
    sharp = Image.fromarray(photo)
    mask = Image.fromarray(stretch(model.predict(photo)))
    mask = mask.resize(sharp.size, Image.Resampling.LANCZOS)
    return np.asarray(
        Image.composite(sharp, sharp.filter(ImageFilter.GaussianBlur(RADIUS_PX)), mask)
    )


def depths_of_photo(model: Model, photo: RgbU8) -> list[RgbU8]:
    """Return a photo and its result for each value of `depth`."""
    file = png(photo)
    pictures, people = [photo], open_people_model(FOLDER, threads=1)
    for depth in DEPTHS:
        options = BlurOptions(radius_px=RADIUS_PX, depth=depth)
        result = blur_photo(file, options, model=model, people=people, max_pixels=photo.size)
        pictures.append(np.asarray(Image.open(io.BytesIO(result.image.data))))
    return pictures


def depths_of_scene(world: World) -> list[RgbU8]:
    """Return the image of a rendered scene and its result for each value of `depth`."""
    rendered = render(world)
    scene = Scene.decompose(rendered.photo, rendered.alpha)
    grounds = (None, find_ground(rendered.alpha))
    blurred_ones = [blur_background(scene, RADIUS_PX, ground=ground) for ground in grounds]
    return [rendered.photo, *blurred_ones]


def save_depths(name: str, pictures: list[RgbU8]) -> None:
    """Put a photo and its results side by side into a small file."""
    height, width, _ = pictures[0].shape
    size = (round(width * DEPTH_HEIGHT_PX / height), DEPTH_HEIGHT_PX)
    small = [Image.fromarray(each).resize(size, Image.Resampling.LANCZOS) for each in pictures]
    save(f"depth-{name}", [np.asarray(each) for each in small], quality=76)


def save(name: str, pictures: list[RgbU8], quality: int = 90) -> None:
    """Put pictures of equal height side by side into a file."""
    gap = np.full((pictures[0].shape[0], GAP_PX, 3), WHITE, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)][:-1]
    side_by_side = Image.fromarray(np.concatenate(parts, axis=1))
    side_by_side.save(HERE / f"{name}.jpg", quality=quality, optimize=True)


if __name__ == "__main__":
    main()
