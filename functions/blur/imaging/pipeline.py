"""Blur the background of a photo, or cut out its subject: decode, matte, refine, blur, encode."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from blur.imaging.blurring.lens import KERNELS
from blur.imaging.compositing.fill import fill_transparent
from blur.imaging.compositing.foreground import estimate_layers
from blur.imaging.compositing.scene import Scene
from blur.imaging.decode.decoder import decode
from blur.imaging.depth.ground import find_ground
from blur.imaging.encode.encoder import EncodedImage, check_format, check_size, encode
from blur.imaging.matting.matte import (
    predict_person,
    predict_subject,
    resize_matte,
    stretch,
)
from blur.imaging.matting.refine import refine
from blur.imaging.modes import DEPTHS, MODES
from blur.imaging.resample import downscale
from blur.imaging.roi import with_margin
from blur.imaging.watermark import add_watermark
from blur.parameter_errors import (
    InvalidBlurError,
    InvalidDepthError,
    InvalidModeError,
    InvalidSubjectError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.arrays import AlphaF32, AlphaU8, RgbU8
    from blur.imaging.decode.decoder import Photo
    from blur.imaging.matting.matte import Predictor
    from blur.imaging.options import BlurOptions
    from blur.imaging.roi import Box

STEPS = ("decode", "matte", "refine", "blur", "encode")
"""The steps of the pipeline, in order."""
WORKING_SIDE_PX = 400
"""Minimum shorter side of the working copy, in which the matte and the layers are computed. The
working copy has at least the network's input size, unless the photo is smaller."""
MAX_WORKING_PX = 1 << 23
"""Maximum pixels of the working copy. Only extremely long photos reach it."""


class BlurredPhoto(NamedTuple):
    """The result of the pipeline."""

    image: EncodedImage
    depth: str
    """The depth that was used: `flat` if `ground` was asked for and the photo shows none."""


def blur_photo(  # noqa: PLR0913 - the photo, its options, and the caller's resources
    data: bytes,
    options: BlurOptions,
    *,
    model: Predictor,
    people: Predictor | None = None,
    max_pixels: int,
    watermarked: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> BlurredPhoto:
    """Blur the background of an image file, or cut out its subject.

    `model` finds the subject. The network for `people` helps where the photo shows persons, and
    finds the matte alone with the subject "person"; without it, that subject is not supported.
    `watermarked` adds the watermark of test keys. `on_step` is called with the name of each step
    before the step begins; it can raise an exception to stop the work.

    Raises:
        InvalidImageError: the file cannot be decoded.
        ImageTooLargeError: the photo has more than `max_pixels` pixels.
        NoSubjectError: the network finds no subject, or no person.
        RoiExceedsBoundsError, RoiRegionEmptyError: `roi` is not a region of the photo.
        InvalidParameterError: another option has an unknown or unsuitable value.

    """
    check_options(options)
    matting = SUBJECTS[options.subject](model, people)
    mode = MODES[options.mode]
    on_step("decode")
    photo = decode(data, max_pixels=max_pixels)
    has_alpha = mode.adds_alpha or photo.alpha is not None
    check_size(options.output, photo.pixels.shape, has_alpha=has_alpha)
    shape = photo.pixels.shape[0], photo.pixels.shape[1]
    box = None if options.roi is None else options.roi.to_box(shape)
    scene = _decompose(photo, matting, box, on_step)
    on_step("blur")
    ground = None
    if options.depth == "ground" and mode.uses_ground:
        ground = find_ground(scene.matte, scene.alpha, None if box is None else box.rows.stop)
    radius_px = options.radius_in(shape)
    pixels, alpha = mode.render(scene, radius_px, options.kernel, ground)
    if watermarked:
        pixels, alpha = add_watermark(pixels, alpha)
    on_step("encode")
    image = encode(
        pixels,
        alpha,
        photo.icc_profile,
        options.output,
        options.quality,
        compact=mode.compact,
    )
    return BlurredPhoto(image, depth="flat" if ground is None else "ground")


def check_options(options: BlurOptions) -> None:
    """Raise the error of the first option that has an unknown value."""
    if options.mode not in MODES:
        message = f"mode must be one of: {', '.join(MODES)}."
        raise InvalidModeError(message)
    if options.kernel not in KERNELS:
        message = f"blur must be one of: {', '.join(KERNELS)}."
        raise InvalidBlurError(message)
    if options.subject not in SUBJECTS:
        message = f"subject must be one of: {', '.join(SUBJECTS)}."
        raise InvalidSubjectError(message)
    if options.depth not in DEPTHS:
        message = f"depth must be one of: {', '.join(DEPTHS)}."
        raise InvalidDepthError(message)
    check_format(options.output, options.quality)


class Matting(NamedTuple):
    """A way to find the subject."""

    predict: Callable[[RgbU8, AlphaU8 | None], AlphaF32]
    """Return the map of the subject of a photo and its alpha, (side, side), 0..1."""
    side_px: int
    """The largest input size of the networks."""


def _any_subject(model: Predictor, people: Predictor | None) -> Matting:
    return Matting(partial(predict_subject, model, people=people), model.side_px)


def _person(_: Predictor, people: Predictor | None) -> Matting:
    if people is None:
        message = "This server has no network for people. Send 'subject' as auto, or leave it out."
        raise InvalidSubjectError(message)
    return Matting(partial(predict_person, people), people.side_px)


SUBJECTS: dict[str, Callable[[Predictor, Predictor | None], Matting]] = {
    "auto": _any_subject,
    "person": _person,
}
"""By the value of the `subject` field."""


def _decompose(
    photo: Photo, matting: Matting, box: Box | None, on_step: Callable[[str], None]
) -> Scene:
    """Compute the matte and the layers, both in the working copy."""
    on_step("matte")
    pixels, alpha = photo.pixels, photo.alpha
    shape = pixels.shape[0], pixels.shape[1]
    if alpha is not None:
        pixels = fill_transparent(pixels, alpha)
    factor = _working_factor(shape, max(WORKING_SIDE_PX, matting.side_px))
    working = downscale(pixels, factor)
    working_alpha = None if alpha is None else downscale(alpha, factor)
    if box is None:
        subject = matting.predict(working, working_alpha)
        on_step("refine")
        matte = refine(stretch(subject), working)
        layers = estimate_layers(working, matte, working_alpha)
        return Scene(pixels, alpha, resize_matte(matte, shape), layers)
    matte = _find_matte_in(box, pixels, alpha, matting, on_step)
    layers = estimate_layers(working, downscale(matte, factor), working_alpha)
    return Scene(pixels, alpha, matte, layers)


def _find_matte_in(
    box: Box,
    pixels: RgbU8,
    alpha: AlphaU8 | None,
    matting: Matting,
    on_step: Callable[[str], None],
) -> AlphaU8:
    """Return the matte of the subject in a part of a photo; outside of the box it is 0.

    It is computed in a working copy of that part, which shows more detail than the photo's.
    """
    shape = pixels.shape[0], pixels.shape[1]
    seen = with_margin(box, shape)
    factor = _working_factor(seen.shape, max(WORKING_SIDE_PX, matting.side_px))
    working = downscale(np.ascontiguousarray(pixels[seen]), factor)
    working_alpha = None
    if alpha is not None:
        working_alpha = downscale(np.ascontiguousarray(alpha[seen]), factor)
    subject = matting.predict(working, working_alpha)
    on_step("refine")
    around = np.zeros(shape, np.uint8)
    around[seen] = resize_matte(refine(stretch(subject), working), seen.shape)
    matte = np.zeros_like(around)
    matte[box] = around[box]
    return matte


def _working_factor(shape: tuple[int, int], side_px: int) -> int:
    """Return the power of two by which a photo of (height, width) is downscaled."""
    factor = 1 << max(0, (min(shape) // side_px).bit_length() - 1)
    while shape[0] * shape[1] > factor**2 * MAX_WORKING_PX:
        factor *= 2
    return factor
