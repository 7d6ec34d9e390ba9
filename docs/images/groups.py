"""Groups of people, made of single persons, for the documentation's pictures.

No photo of a group has a licence that allows it here. So these are made of the persons of two of
scikit-image's photos, NASA's portrait of Eileen Collins and Lav Varshney's man with a camera, on
its rocket and its grass. A person who is darkened wears dark clothes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageFilter
from skimage import data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from blur.imaging.arrays import RgbU8

WIDTH, HEIGHT = 768, 512
GRASS = (0.7, 1.0, 0.55)
"""The colour of scikit-image's grass, which is a picture in grey."""
OUT_OF_FOCUS_PX = 2


class Person(NamedTuple):
    """A person of a group."""

    photo: str
    left: int
    height: int
    is_mirrored: bool = False
    brightness: float = 1.0


@dataclass(frozen=True)
class Group:
    """Persons in front of a background, the farthest first."""

    background: str
    persons: Sequence[Person]

    def photo(self, cut_out: Callable[[RgbU8], Image.Image]) -> RgbU8:
        """Return the picture; `cut_out` returns the person of a photo, in RGBA."""
        picture = _background(self.background).convert("RGBA")
        for person in self.persons:
            source = np.asarray(Image.fromarray(getattr(data, person.photo)()).convert("RGB"))
            cutout = _seen(cut_out(source), person)
            layer = Image.new("RGBA", picture.size)
            layer.paste(cutout, (person.left, HEIGHT - person.height))
            picture = Image.alpha_composite(picture, layer)
        return np.asarray(picture.convert("RGB"))


GROUPS = {
    "dark": Group(
        "grass",
        (
            Person("astronaut", 364, 353, is_mirrored=True),
            Person("astronaut", -42, 403, brightness=0.35),
        ),
    ),
    "night": Group(
        "rocket",
        (
            Person("astronaut", 8, 322, brightness=0.35),
            Person("astronaut", 355, 356, is_mirrored=True, brightness=0.35),
        ),
    ),
    "tripod": Group("rocket", (Person("camera", 378, 327), Person("camera", -39, 422))),
    "three": Group(
        "rocket",
        (
            Person("astronaut", 275, 286, is_mirrored=True),
            Person("camera", 486, 310, brightness=0.35),
            Person("astronaut", -28, 362),
        ),
    ),
    "behind": Group(
        "rocket",
        (
            Person("camera", -1, 351),
            Person("astronaut", 453, 435, brightness=0.35),
            Person("astronaut", 231, 437),
        ),
    ),
}


def _background(name: str) -> Image.Image:
    picture = Image.fromarray(getattr(data, name)()).convert("RGB").resize((WIDTH, HEIGHT))
    picture = picture.filter(ImageFilter.GaussianBlur(OUT_OF_FOCUS_PX))
    if name != "grass":
        return picture
    return Image.fromarray((np.asarray(picture) * GRASS).astype(np.uint8))


def _seen(cutout: Image.Image, person: Person) -> Image.Image:
    width = round(cutout.width * person.height / cutout.height)
    small = cutout.resize((width, person.height))
    if person.is_mirrored:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    samples = np.asarray(small) * np.array([*[person.brightness] * 3, 1.0])
    return Image.fromarray(samples.astype(np.uint8))
