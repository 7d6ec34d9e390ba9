"""Pixels into a file: the colour profile goes along, nothing else does."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from blur.errors import InvalidFormatError, InvalidQualityError
from blur.imaging.compositing.composite import composite
from blur.imaging.encode.png import write_png
from blur.imaging.strips import thread_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.arrays import AlphaU8, RgbU8

WHITE = 255
"""What transparency becomes in a format without any."""
RGBA = 4
"""Channels of a picture with alpha."""
QUALITIES = range(1, 101)


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A finished file and the media type to send it with."""

    data: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """One output format: what writes it and what HTTP calls it."""

    content_type: str
    write: Callable[[RgbU8, bytes | None, int], bytes]
    """From (H, W, 3) or (H, W, 4), the profile and the quality, 1 to 100."""
    supports_alpha: bool = True
    max_side_px: int = 2**31 - 1
    """Of the longest picture that it holds; a PNG's by default (ISO/IEC 15948, 11.2.2)."""
    max_megapixels: float = math.inf
    """Of the largest picture that its encoder is given."""
    max_alpha_megapixels: float = math.inf
    """Of the largest with transparency."""


def encode(
    pixels: RgbU8,
    alpha: AlphaU8 | None,
    icc_profile: bytes | None,
    output: str,
    quality: int,
) -> EncodedImage:
    """Write the picture, (H, W, 3) with alpha (H, W) or None, in one of `OUTPUT_FORMATS`.

    Where the format has no transparency, the picture is put over white.

    Raises:
        InvalidFormatError: `output` is none of the formats, or cannot hold this size.
        InvalidQualityError: `quality` is out of range.

    """
    check_format(output, quality)
    check_size(output, pixels.shape, has_alpha=alpha is not None)
    chosen = OUTPUT_FORMATS[output]
    if alpha is not None and not chosen.supports_alpha:
        pixels, alpha = composite(pixels, np.full_like(pixels, WHITE), alpha), None
    picture = pixels if alpha is None else np.dstack((pixels, alpha))
    return EncodedImage(chosen.write(picture, icc_profile, quality), chosen.content_type)


def check_format(output: str, quality: int) -> None:
    """Raise the error of a format that there is not or of a quality out of range."""
    if output not in OUTPUT_FORMATS:
        message = f"format must be one of: {', '.join(OUTPUT_FORMATS)}."
        raise InvalidFormatError(message)
    if quality not in QUALITIES:
        message = f"quality must be from {QUALITIES.start} to {QUALITIES.stop - 1}."
        raise InvalidQualityError(message)


def check_size(output: str, shape: tuple[int, ...], *, has_alpha: bool) -> None:
    """Raise `InvalidFormatError` for a picture (H, W, ...) that is too large for a format.

    Formats can have a smaller limit for images with an alpha channel.
    """
    chosen = OUTPUT_FORMATS[output]
    if max(shape[:2]) > chosen.max_side_px:
        message = f"A picture in {output} may have at most {chosen.max_side_px} pixels on a side."
        raise InvalidFormatError(message)
    most = min(chosen.max_megapixels, chosen.max_alpha_megapixels if has_alpha else math.inf)
    if shape[0] * shape[1] > 1e6 * most:
        which = (
            f"A picture with transparency in {output}" if has_alpha else f"A picture in {output}"
        )
        message = f"{which} may have at most {most} megapixels."
        raise InvalidFormatError(message)


def _png(picture: RgbU8, icc_profile: bytes | None, _: int) -> bytes:
    return write_png(picture, icc_profile, thread_count())


def _by_pillow(
    picture: RgbU8, icc_profile: bytes | None, quality: int, *, name: str, **options: object
) -> bytes:
    """Write by Pillow, at the settings at which each encoder is worth its time."""
    file = BytesIO()
    Image.fromarray(picture).save(file, name, quality=quality, icc_profile=icc_profile, **options)
    return file.getvalue()


def _avif(picture: RgbU8, icc_profile: bytes | None, quality: int) -> bytes:
    """Write an AVIF whose alpha is lossless: at any less, edges and empty parts are dirty."""
    options = {"advanced": {"alpha:lossless": "1"}} if picture.shape[2] == RGBA else {}
    return _by_pillow(picture, icc_profile, quality, name="AVIF", speed=9, **options)


OUTPUT_FORMATS: dict[str, OutputFormat] = {
    "png": OutputFormat("image/png", _png),
    "jpeg": OutputFormat(
        "image/jpeg",
        partial(_by_pillow, name="JPEG", subsampling="4:4:4"),
        supports_alpha=False,
        max_side_px=65_500,
    ),
    # 50 megapixels need too much memory and time on Lambda: libaom takes 27
    # bytes and 0.2 µs of a processor for each pixel, and libwebp's lossless alpha as much.
    "webp": OutputFormat(
        "image/webp",
        partial(_by_pillow, name="WebP", method=2),
        max_side_px=16_383,
        max_alpha_megapixels=36,
    ),
    "avif": OutputFormat("image/avif", _avif, max_side_px=65_535, max_megapixels=36),
}
"""By the value of the `format` field."""
