"""Compute the matte: predict a map, stretch it as rembg does, refine and enlarge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from blur.errors import NoSubjectError
from blur.imaging.compositing.composite import composite
from blur.imaging.matting.refine import refine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8

MIN_CONFIDENCE = 0.8
"""If the maximum of the raw map is lower, the photo has no subject.

u2netp's maximum is at least 0.991 on 100 photos of ECSSD, and at most 0.64 on uniform images,
gradients, noise, stripes and checkerboards.
"""
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


def find_matte(model: Predictor, photo: RgbU8, alpha: AlphaU8 | None = None) -> AlphaU8:
    """Return the matte of the photo's subject, (H, W), 255 where the subject is opaque.

    Raises:
        NoSubjectError: the network finds no subject in the photo.

    """
    raw = predict_subject(model, photo, alpha)
    return resize_matte(refine(stretch(raw), photo), (photo.shape[0], photo.shape[1]))


def predict_subject(
    model: Predictor, photo: RgbU8, alpha: AlphaU8 | None = None
) -> NDArray[np.float32]:
    """Return the network's raw map of the photo's subject, (side, side).

    The photo can be a downscaled copy. The network sees pixels that are transparent in the photo's
    own `alpha` as grey, because their colours are arbitrary.

    Raises:
        NoSubjectError: the network finds no subject in the photo.

    """
    raw = model.predict(photo if alpha is None else composite_over_grey(photo, alpha))
    if not float(raw.max()) >= MIN_CONFIDENCE:
        message = (
            "No subject was found in the image. Send one that shows a person, an animal or an"
            " object in front of a background."
        )
        raise NoSubjectError(message)
    return raw


def resize_matte(matte: AlphaU8, shape: tuple[int, int]) -> AlphaU8:
    """Resize the matte to (H, W). Areas that are uniformly 0 or 255 keep that value."""
    smaller = max(shape) < max(matte.shape)
    kernel = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    result: AlphaU8 = cv2.resize(matte, shape[::-1], interpolation=kernel)
    return result


def stretch(raw: NDArray[np.float32]) -> AlphaU8:
    """Map the range from the minimum to the maximum to 0..255, and truncate to whole numbers.

    A uniform map becomes 255 everywhere.
    """
    minimum, maximum = raw.min(), raw.max()
    if minimum == maximum:
        return np.full(raw.shape, 255, np.uint8)
    stretched: AlphaU8 = ((raw - minimum) / (maximum - minimum) * 255).astype(np.uint8)
    return stretched


def composite_over_grey(photo: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Composite a photo with an alpha channel over mid-grey."""
    return composite(photo, np.full_like(photo, MID_GREY), alpha)
