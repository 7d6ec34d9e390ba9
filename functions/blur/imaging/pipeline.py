"""A photo with its background blurred: decode, matte, foreground, defocus, composite, encode."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from blur.errors import InvalidModeError
from blur.imaging.composite import blend, multiply
from blur.imaging.cutout import blur_layer
from blur.imaging.decode import Photo, decode
from blur.imaging.defocus import defocus
from blur.imaging.encode import Encoded, check_format, encode
from blur.imaging.foreground import separate
from blur.imaging.matte import find_matte
from blur.imaging.stamp import stamp
from blur.imaging.tiles import tiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.arrays import Coverage, Pixels
    from blur.imaging.matte import Predictor

    Mode: TypeAlias = Callable[[Photo, Coverage, float], tuple[Pixels, Coverage | None]]


def blur_photo(  # noqa: PLR0913 - the request's three fields, and what serves it
    data: bytes,
    *,
    model: Predictor,
    radius_px: int,
    max_pixels: int,
    mode: str = "background",
    output: str = "png",
    stamped: bool = False,
    checkpoint: Callable[[], None] = lambda: None,
) -> Encoded:
    """Blur what is behind the subject of an image file, or cut the subject out.

    `radius_px` is the Gaussian's standard deviation in pixels of the upright image. A
    `stamped` result carries a visible "TEST". `checkpoint` is called before each step and
    may raise to end the work there.

    Raises:
        InvalidImageError: the file cannot be decoded.
        ImageTooLargeError: it has more than `max_pixels` pixels.
        NoSubjectError: the model finds nothing that stands out.
        InvalidModeError, InvalidFormatError: `mode` or `output` is unknown.

    """
    if mode not in MODES:
        message = f"mode must be one of: {', '.join(MODES)}."
        raise InvalidModeError(message)
    check_format(output)
    checkpoint()
    photo = decode(data, max_pixels=max_pixels)
    checkpoint()
    matte = find_matte(model, photo.pixels, photo.alpha)
    checkpoint()
    pixels, alpha = MODES[mode](photo, matte, radius_px)
    if stamped:
        pixels, alpha = stamp(pixels, alpha)
    checkpoint()
    return encode(pixels, alpha, photo.icc_profile, output)


def blur_background(
    photo: Pixels, matte: Coverage, radius_px: float, *, alpha: Coverage | None = None
) -> Pixels:
    """Return the photo with everything behind its subject blurred, uint8 (H, W, 3).

    `photo` is uint8 (H, W, 3), `matte` uint8 (H, W) with 255 where the subject is opaque,
    and `alpha`, uint8 (H, W), the photo's own where it has one. `radius_px` is the
    Gaussian's standard deviation; 0 returns a copy of the photo. Where the matte is 255 the
    photo's pixels come out exactly. The arguments are not modified.

    Raises:
        ValueError: a shape or dtype is another, or `radius_px` is negative.

    """
    check_arguments(photo, matte, radius_px, alpha)
    if radius_px == 0:
        return photo.copy()
    foreground, background = separate(photo, matte, alpha)
    blurred = defocus(background, matte, radius_px, alpha)
    result = np.empty_like(photo)
    for window in tiles(*matte.shape):
        at = window.of
        result[at] = blend(foreground[at], blurred.colours_in(window), matte[at])
    return result


def cut_out(
    photo: Pixels, matte: Coverage, radius_px: float, *, alpha: Coverage | None = None
) -> tuple[Pixels, Coverage]:
    """Return the subject alone, blurred, as straight colour and alpha.

    Arguments and errors are those of `blur_background`; radius 0 gives the sharp subject.
    """
    check_arguments(photo, matte, radius_px, alpha)
    foreground, _ = separate(photo, matte, alpha)
    return blur_layer(foreground, multiply(matte, alpha), radius_px)


def check_arguments(
    photo: Pixels, matte: Coverage, radius_px: float, alpha: Coverage | None
) -> None:
    """Raise ValueError unless the arrays are bytes of one size, at least 1 x 1."""
    size = photo.shape[:2]
    arrays = {"photo": (photo, (*size, 3)), "matte": (matte, size), "alpha": (alpha, size)}
    for name, (array, shape) in arrays.items():
        if array is None:
            continue
        if array.dtype != np.uint8 or array.shape != shape or array.size == 0:
            message = f"{name} must be uint8 {shape}, not {array.dtype} {array.shape}"
            raise ValueError(message)
    if not 0 <= radius_px < inf:
        message = f"radius_px must be at least 0 and finite, not {radius_px}"
        raise ValueError(message)


def _background(photo: Photo, matte: Coverage, radius_px: float) -> tuple[Pixels, Coverage | None]:
    return blur_background(photo.pixels, matte, radius_px, alpha=photo.alpha), photo.alpha


def _cutout(photo: Photo, matte: Coverage, radius_px: float) -> tuple[Pixels, Coverage | None]:
    return cut_out(photo.pixels, matte, radius_px, alpha=photo.alpha)


MODES: dict[str, Mode] = {"background": _background, "cutout": _cutout}
"""By the value of the `mode` field: what is made of the photo and its matte."""
