"""Compute the matte: predict a map, stretch its values as rembg does, then refine and resize it.

A map has a value from 0 (background) to 1 (subject) for each cell of a square grid over the photo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import cv2
import numpy as np

from blur.errors import NoSubjectError
from blur.imaging.compositing.composite import composite
from blur.imaging.matting.half_transparent import (
    find_wide_half_transparent,
    remove_faint,
    resolve_half_transparent,
)
from blur.imaging.matting.people import combine, has_person, keep_people
from blur.imaging.matting.refine import refine
from blur.imaging.resample import upscale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32, AlphaU8, RgbU8

MIN_CONFIDENCE = 0.8
"""If the maximum of the raw map is lower than this, the photo has no subject.

The maximum of u2netp's map is at least 0.991 on 100 photos from ECSSD, and at most 0.64 on uniform
images, gradients, noise, stripes and checkerboards.
"""
MAX_HALF_TRANSPARENT = 0.045
"""If wide half-transparent regions cover more than this share of the map, the network also runs on
the mirrored photo. The network runs twice for 11 of 100 photos from ECSSD and 11 of 145 photos of
people."""
MID_GREY = 128


class Predictor(Protocol):
    """A model that finds the subject, such as `session.Model`."""

    @property
    def side_px(self) -> int:
        """The side of the square to which photos are resized."""
        ...

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        """Return the raw map of the subject, (side, side), approximately 0..1."""
        ...


class SubjectMaps(NamedTuple):
    """The maps that the networks predict for a photo, (side, side) each, 0..1."""

    subject: AlphaF32
    people: AlphaF32 | None
    """The map that the network for people predicts; None if this network is not used."""


def find_matte(
    model: Predictor,
    photo: RgbU8,
    alpha: AlphaU8 | None = None,
    *,
    people: Predictor | None = None,
) -> AlphaU8:
    """Return the matte of the photo's subject, (H, W), 255 where the subject is opaque.

    Raises:
        NoSubjectError: the network finds no subject in the photo.

    """
    raw = predict_subject(model, photo, alpha, people=people)
    return resize_matte(refine(stretch(raw), photo), (photo.shape[0], photo.shape[1]))


def predict_subject(
    model: Predictor,
    photo: RgbU8,
    alpha: AlphaU8 | None = None,
    *,
    people: Predictor | None = None,
) -> AlphaF32:
    """Return only the map of the photo's subject; see `predict_maps`."""
    return predict_maps(model, photo, alpha, people=people).subject


def predict_maps(
    model: Predictor,
    photo: RgbU8,
    alpha: AlphaU8 | None = None,
    *,
    people: Predictor | None = None,
) -> SubjectMaps:
    """Return the maps that the networks predict for the photo.

    The photo can be a downscaled copy. The networks get the photo over grey if it has its own
    `alpha`, because transparent pixels can have any colour. If the map that `model` predicts has
    wide half-transparent regions, `model` also runs on the mirrored photo. With a network for
    `people`, the two maps are combined (`people.combine`).

    Raises:
        NoSubjectError: the network finds no subject in the photo.

    """
    photo = photo if alpha is None else composite_over_grey(photo, alpha)
    raw = model.predict(photo)
    if not float(raw.max()) >= MIN_CONFIDENCE:
        message = (
            "No subject was found in the image. Send an image that shows a person, an animal or an"
            " object in front of a background."
        )
        raise NoSubjectError(message)
    if find_wide_half_transparent(raw).mean() > MAX_HALF_TRANSPARENT:
        raw = np.maximum(raw, predict_mirrored(model, photo))
    saliency = stretch_f32(raw)
    if people is None:
        return SubjectMaps(remove_faint(resolve_half_transparent(saliency)), None)
    shape = saliency.shape[0], saliency.shape[1]

    def resized(raw_people: NDArray[np.float32]) -> AlphaF32:
        return upscale(raw_people, shape)

    shown = resized(people.predict(photo))
    subject = combine(saliency, shown, lambda: resized(predict_mirrored(people, photo)))
    return SubjectMaps(remove_faint(subject), shown)


def predict_person(people: Predictor, photo: RgbU8, alpha: AlphaU8 | None = None) -> AlphaF32:
    """Return the map of the persons in the photo, (side, side), 0..1.

    Only the network `people` runs. `photo` and `alpha` are as in `predict_maps`.

    Raises:
        NoSubjectError: the network finds no person in the photo.

    """
    raw = people.predict(photo if alpha is None else composite_over_grey(photo, alpha))
    if not has_person(raw):
        message = "No person was found in the image. Send subject=auto, or an image of a person."
        raise NoSubjectError(message)
    return remove_faint(resolve_half_transparent(keep_people(raw)))


def predict_mirrored(model: Predictor, photo: RgbU8) -> NDArray[np.float32]:
    """Return the raw map of the mirrored photo; the map is mirrored back."""
    return model.predict(np.ascontiguousarray(photo[:, ::-1]))[:, ::-1]


def resize_matte(matte: AlphaU8, shape: tuple[int, int]) -> AlphaU8:
    """Return the matte resized to `shape`, (H, W). Uniform areas of 0 or 255 keep their value."""
    smaller = max(shape) < max(matte.shape)
    kernel = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    result: AlphaU8 = cv2.resize(matte, shape[::-1], interpolation=kernel)
    return result


def stretch(raw: NDArray[np.float32]) -> AlphaU8:
    """Return the map scaled linearly to 0..255, and rounded down to whole numbers.

    The minimum becomes 0, and the maximum 255. A uniform map becomes 255 everywhere.
    """
    stretched: AlphaU8 = (stretch_f32(raw) * 255).astype(np.uint8)
    return stretched


def stretch_f32(raw: NDArray[np.float32]) -> AlphaF32:
    """Return the map scaled linearly to 0..1. A uniform map becomes 1 everywhere."""
    minimum, maximum = raw.min(), raw.max()
    if minimum == maximum:
        return np.ones_like(raw)
    stretched: AlphaF32 = (raw - minimum) / (maximum - minimum)
    return stretched


def composite_over_grey(photo: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Composite a photo with an alpha channel over mid-grey."""
    return composite(photo, np.full_like(photo, MID_GREY), alpha)
