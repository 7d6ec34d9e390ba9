"""Find a photo's subject, refine the matte, and estimate the photo's layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from blur.imaging.compositing.fill import fill_transparent
from blur.imaging.compositing.foreground import LayerColours, estimate_layers
from blur.imaging.compositing.scene import Scene
from blur.imaging.matting.matte import (
    SubjectMaps,
    predict_maps,
    predict_person,
    resize_matte,
    stretch,
)
from blur.imaging.matting.refine import refine
from blur.imaging.resample import downscale
from blur.imaging.roi import Box, with_margin
from blur.parameter_errors import InvalidSubjectError

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.matting.matte import Predictor

WORKING_SIDE_PX = 400
"""The minimum length of the working copy's shorter side. If a network has a larger input size, the
minimum is this input size. A photo that is smaller than the minimum is not downscaled."""
MAX_WORKING_PX = 1 << 23
"""The maximum number of pixels of the working copy. This limit affects only extremely long photos,
and their shorter side can then be less than `WORKING_SIDE_PX`."""


class Matting(NamedTuple):
    """A function that finds the subject, and the input size of its networks."""

    predict: Callable[[RgbU8, AlphaU8 | None], SubjectMaps]
    """Return the maps of the subject, (side, side), 0..1, for a photo and its alpha."""
    side_px: int
    """The input size of the network that needs the largest photo."""


def _any_subject(model: Predictor, people: Predictor | None) -> Matting:
    return Matting(partial(predict_maps, model, people=people), model.side_px)


def _person(_: Predictor, people: Predictor | None) -> Matting:
    if people is None:
        message = "This server has no network for people. Send 'subject' as auto, or leave it out."
        raise InvalidSubjectError(message)

    def predict(photo: RgbU8, alpha: AlphaU8 | None) -> SubjectMaps:
        person = predict_person(people, photo, alpha)
        return SubjectMaps(person, person)

    return Matting(predict, people.side_px)


SUBJECTS: dict[str, Callable[[Predictor, Predictor | None], Matting]] = {
    "auto": _any_subject,
    "person": _person,
}
"""The function that returns the `Matting`, by the value of the `subject` field."""


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A photo, the matte of its subject on a fine grid, and its layers on a coarse grid."""

    photo: RgbU8
    """Colour, (H, W, 3); pixels with `alpha` 0 are filled with the nearest visible colours."""
    alpha: AlphaU8 | None
    """The photo's own alpha channel, (H, W), if it has one."""
    subject: AlphaU8
    """The matte of the whole photo. It can be smaller or larger than the photo; with a region of
    interest, it is (H, W)."""
    layers: LayerColours
    maps: SubjectMaps
    """The maps that the networks predict for the photo, or for the region of interest and a margin
    around it."""
    seen: RgbU8
    """The pixels from which the maps were computed: a working copy of the photo or of the
    region."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the photo."""
        return self.photo.shape[0], self.photo.shape[1]

    def matte(self, shape: tuple[int, int]) -> AlphaU8:
        """Return the matte of the whole photo, resized to (height, width)."""
        return self.subject if self.subject.shape == shape else resize_matte(self.subject, shape)

    def scene(self) -> Scene:
        """Return the scene at the size of the photo."""
        return Scene(self.photo, self.alpha, self.matte(self.shape), self.layers)


def decompose(
    pixels: RgbU8,
    alpha: AlphaU8 | None,
    matting: Matting,
    box: Box | None,
    on_step: Callable[[str], None],
) -> Decomposition:
    """Find the subject of a photo, (H, W, 3) with alpha (H, W) or None, and estimate its layers.

    With a `box`, the subject is searched for only inside the box, and the matte is 0 outside. The
    matte and the layers are computed in working copies. `on_step` gets the name of each step,
    "matte" and "refine", when the step starts.

    Raises:
        NoSubjectError: the network finds no subject, or no person.

    """
    on_step("matte")
    shape = pixels.shape[0], pixels.shape[1]
    if alpha is not None:
        pixels = fill_transparent(pixels, alpha)
    factor = working_factor(shape, matting)
    working = downscale(pixels, factor)
    working_alpha = None if alpha is None else downscale(alpha, factor)
    if box is None:
        seen, maps = working, matting.predict(working, working_alpha)
        on_step("refine")
        subject = refine(stretch(maps.subject), working)
        layers = estimate_layers(working, subject, working_alpha)
    else:
        subject, maps, seen = _find_in(box, pixels, alpha, matting, on_step)
        layers = estimate_layers(working, downscale(subject, factor), working_alpha)
    return Decomposition(pixels, alpha, subject, layers, maps, seen)


def _find_in(
    box: Box,
    pixels: RgbU8,
    alpha: AlphaU8 | None,
    matting: Matting,
    on_step: Callable[[str], None],
) -> tuple[AlphaU8, SubjectMaps, RgbU8]:
    """Return the matte of the whole photo, and the maps and the working copy of a region.

    The region is the box and a margin around it. The matte is computed in the working copy of the
    region, which shows more detail than a working copy of the whole photo. Outside the box, the
    matte is 0.
    """
    shape = pixels.shape[0], pixels.shape[1]
    seen = with_margin(box, shape)
    factor = working_factor(seen.shape, matting)
    working = downscale(np.ascontiguousarray(pixels[seen]), factor)
    working_alpha = None
    if alpha is not None:
        working_alpha = downscale(np.ascontiguousarray(alpha[seen]), factor)
    maps = matting.predict(working, working_alpha)
    on_step("refine")
    around = np.zeros(shape, np.uint8)
    around[seen] = resize_matte(refine(stretch(maps.subject), working), seen.shape)
    matte = np.zeros_like(around)
    matte[box] = around[box]
    return matte, maps, working


def working_factor(shape: tuple[int, int], matting: Matting) -> int:
    """Return the factor, a power of two, by which a photo of (height, width) is downscaled."""
    side_px = max(WORKING_SIDE_PX, matting.side_px)
    factor = 1 << max(0, (min(shape) // side_px).bit_length() - 1)
    while shape[0] * shape[1] > factor**2 * MAX_WORKING_PX:
        factor *= 2
    return factor
