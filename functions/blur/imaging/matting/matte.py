"""Where the subject is: the network's map, stretched as rembg does, refined and enlarged."""

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
"""Raw maximum below which there is no subject.

u2netp's raw maximum is at least 0.991 on 100 photos of ECSSD, and at most 0.64 on flat
pictures, gradients, noise, stripes and checkerboards.
"""
MID_GREY = 128


class Predictor(Protocol):
    """What finds the subject: a loaded `Model`, or anything that answers like one."""

    @property
    def side_px(self) -> int:
        """The side of the square that it squeezes a photo to."""
        ...

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        """Return the raw map of the subject, (side, side), about 0..1."""
        ...


def find_matte(model: Predictor, photo: RgbU8, alpha: AlphaU8 | None = None) -> AlphaU8:
    """Return the matte of the photo's subject, (H, W), 255 where the subject is opaque.

    Raises:
        NoSubjectError: the network is not sure of anything in the photo.

    """
    raw = predict_subject(model, photo, alpha)
    return resize_matte(refine(stretch(raw), photo), (photo.shape[0], photo.shape[1]))


def predict_subject(
    model: Predictor, photo: RgbU8, alpha: AlphaU8 | None = None
) -> NDArray[np.float32]:
    """Return the network's raw map of the photo's subject, (side, side).

    The photo may be a smaller copy. Pixels that its own `alpha` hides are shown to the
    network as grey: the colours under them are not what anyone sees.

    Raises:
        NoSubjectError: the network is not sure of anything in the photo.

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
    """Bring the matte to a photo's size, (H, W): what is 0 or 255 all around stays it."""
    smaller = max(shape) < max(matte.shape)
    kernel = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    result: AlphaU8 = cv2.resize(matte, shape[::-1], interpolation=kernel)
    return result


def stretch(raw: NDArray[np.float32]) -> AlphaU8:
    """Stretch the map from its least and greatest value to 0..255, cut to whole numbers.

    A flat map has nothing to stretch and comes out all 255.
    """
    least, greatest = raw.min(), raw.max()
    if least == greatest:
        return np.full(raw.shape, 255, np.uint8)
    stretched: AlphaU8 = ((raw - least) / (greatest - least) * 255).astype(np.uint8)
    return stretched


def composite_over_grey(photo: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Composite a photo that has an alpha channel over mid-grey."""
    return composite(photo, np.full_like(photo, MID_GREY), alpha)
