"""The background of a result: a colour, or an image that covers the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.arrays import OPAQUE, to_alpha_f32, to_u8
from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.fill import fill_transparent
from blur.imaging.decode.decoder import Photo, decode
from blur.imaging.decode.profile_conversion import convert_profile
from blur.imaging.removal.options import Rgba
from blur.imaging.resample import rescale
from blur.imaging.strips import for_each_strip
from blur.removal_errors import InvalidBgImageError

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.removal.options import RemovalOptions

Shape = tuple[int, int]
Background: TypeAlias = Photo | Rgba
"""A decoded image, or a colour."""


class Picture(NamedTuple):
    """Straight (not premultiplied) colours, (H, W, 3), and their alpha, (H, W).

    `alpha` is None if all pixels are opaque.
    """

    colours: RgbU8
    alpha: AlphaU8 | None

    @property
    def is_opaque(self) -> bool:
        """Whether all pixels are opaque."""
        return self.alpha is None or bool(self.alpha.min() == OPAQUE)


def read_background(options: RemovalOptions, side_px: int, max_pixels: int) -> Background | None:
    """Return the colour or the decoded image in the options, or None if there is neither.

    The image has enough pixels for results whose sides have at most `side_px` pixels.

    Raises:
        InvalidBgImageError: the file cannot be decoded, or has more than `max_pixels` pixels.

    """
    if options.background is not None:
        return read_image(options.background, side_px, max_pixels)
    return options.colour


def draw_background(background: Background, shape: Shape, icc_profile: bytes | None) -> Picture:
    """Return the background with this shape, (height, width), and colour profile."""
    if isinstance(background, Photo):
        return draw_image(background, shape, icc_profile)
    return fill_colour(background, shape, icc_profile)


def fill_colour(colour: Rgba, shape: Shape, icc_profile: bytes | None) -> Picture:
    """Return a picture that is filled with one colour, which is converted from sRGB."""
    *rgb, opacity = colour
    pixel = np.array([[rgb]], np.uint8)
    colours = np.empty((*shape, 3), np.uint8)
    colours[:] = convert_profile(pixel, None, icc_profile)
    return Picture(colours, None if opacity == OPAQUE else np.full(shape, opacity, np.uint8))


def read_image(data: bytes, side_px: int, max_pixels: int) -> Photo:
    """Return a file's image, with enough pixels for results whose sides have at most `side_px`.

    Raises:
        InvalidBgImageError: the file cannot be decoded, or has more than `max_pixels` pixels.

    """

    def reduction(size: tuple[int, int]) -> int:
        ratio = min(size) // side_px
        return 1 << max(0, ratio.bit_length() - 1)

    try:
        return decode(data, max_pixels=max_pixels, reduction=reduction)
    except (ImageTooLargeError, InvalidImageError) as error:
        message = f"The background image cannot be used. {error.message}"
        raise InvalidBgImageError(message) from error


def draw_image(image: Photo, shape: Shape, icc_profile: bytes | None) -> Picture:
    """Return the image, cropped around its centre, with this shape and colour profile."""
    picture = cover(image, shape)
    return picture._replace(
        colours=convert_profile(picture.colours, image.icc_profile, icc_profile)
    )


def cover(image: Photo, shape: Shape) -> Picture:
    """Return the largest centred part that has the proportions of `shape`, resized to `shape`."""
    height, width = image.pixels.shape[:2]
    scale = min(height / shape[0], width / shape[1])
    rows = max(1, min(height, round(shape[0] * scale)))
    columns = max(1, min(width, round(shape[1] * scale)))
    top, left = (height - rows) // 2, (width - columns) // 2
    part = np.s_[top : top + rows, left : left + columns]
    pixels, alpha = image.pixels, image.alpha
    if alpha is not None:
        pixels = fill_transparent(pixels, alpha)
        alpha = rescale(np.ascontiguousarray(alpha[part]), shape)
    return Picture(rescale(np.ascontiguousarray(pixels[part]), shape), alpha)


def put_behind(subject: Picture, background: Picture) -> Picture:
    """Composite a subject over a background of the same size.

    Where the subject is opaque, the result has exactly the subject's pixel. Where the subject is
    transparent, the result has exactly the background's pixel (T. Porter, T. Duff, "Compositing
    digital images", SIGGRAPH 1984).
    """
    colours, alpha = subject
    if alpha is None:
        return subject
    if background.alpha is None:
        return Picture(composite(colours, background.colours, alpha), None)
    return _composite_on_translucent(colours, alpha, background.colours, background.alpha)


def _composite_on_translucent(
    front_colours: RgbU8, front_alpha: AlphaU8, back_colours: RgbU8, back_alpha: AlphaU8
) -> Picture:
    colours, alpha = np.empty_like(front_colours), np.empty_like(front_alpha)

    def composite_rows(rows: slice) -> None:
        front = to_alpha_f32(front_alpha[rows])
        back = to_alpha_f32(back_alpha[rows]) * (1 - front)
        total = front + back
        share = np.divide(front, total, out=np.zeros_like(total), where=total > 0)[..., np.newaxis]
        behind = back_colours[rows].astype(np.float32)
        colours[rows] = to_u8(behind + share * (front_colours[rows] - behind))
        alpha[rows] = to_u8(total * OPAQUE)

    for_each_strip(alpha.shape, composite_rows)
    return Picture(colours, alpha)
