"""Pixels into a file: the colour profile goes along, nothing else does."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from blur.errors import InvalidFormatError, InvalidQualityError
from blur.imaging.compositing.composite import over
from blur.imaging.strips import threads
from blur.imaging.writing.png import write_png

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.arrays import Coverage, Pixels

WHITE = 255
"""What transparency becomes in a format without any."""
QUALITIES = range(1, 101)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished file and the media type to send it with."""

    data: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True, slots=True)
class Format:
    """One output format: what writes it and what HTTP calls it."""

    content_type: str
    write: Callable[[Pixels, bytes | None, int], bytes]
    """From (H, W, 3) or (H, W, 4), the profile and the quality, 1 to 100."""
    transparency: bool = True


def encode(
    pixels: Pixels,
    alpha: Coverage | None,
    icc_profile: bytes | None,
    output: str,
    quality: int,
) -> Encoded:
    """Write the picture, (H, W, 3) with alpha (H, W) or None, in one of `FORMATS`.

    Where the format has no transparency, the picture is put over white.

    Raises:
        InvalidFormatError: `output` is none of the formats, or cannot hold this size.
        InvalidQualityError: `quality` is out of range.

    """
    check_output(output, quality)
    chosen = FORMATS[output]
    if alpha is not None and not chosen.transparency:
        pixels, alpha = over(pixels, np.full_like(pixels, WHITE), alpha), None
    picture = pixels if alpha is None else np.dstack((pixels, alpha))
    return Encoded(chosen.write(picture, icc_profile, quality), chosen.content_type)


def check_output(output: str, quality: int) -> None:
    """Raise the error of a format that there is not or of a quality out of range."""
    if output not in FORMATS:
        message = f"format must be one of: {', '.join(FORMATS)}."
        raise InvalidFormatError(message)
    if quality not in QUALITIES:
        message = f"quality must be from {QUALITIES.start} to {QUALITIES.stop - 1}."
        raise InvalidQualityError(message)


def _png(picture: Pixels, icc_profile: bytes | None, _: int) -> bytes:
    return write_png(picture, icc_profile, threads())


def _by_pillow(
    picture: Pixels,
    icc_profile: bytes | None,
    quality: int,
    *,
    name: str,
    limit_px: int,
    **options: object,
) -> bytes:
    """Write by Pillow, at the settings at which each encoder is worth its time."""
    if max(picture.shape) > limit_px:
        message = f"A picture in {name} may have at most {limit_px} pixels on a side."
        raise InvalidFormatError(message)
    file = BytesIO()
    Image.fromarray(picture).save(file, name, quality=quality, icc_profile=icc_profile, **options)
    return file.getvalue()


FORMATS: dict[str, Format] = {
    "png": Format("image/png", _png),
    "jpeg": Format(
        "image/jpeg",
        partial(_by_pillow, name="JPEG", limit_px=65_500, subsampling="4:4:4"),
        transparency=False,
    ),
    "webp": Format("image/webp", partial(_by_pillow, name="WebP", limit_px=16_383, method=2)),
    "avif": Format("image/avif", partial(_by_pillow, name="AVIF", limit_px=65_535, speed=8)),
}
"""By the value of the `format` field."""
