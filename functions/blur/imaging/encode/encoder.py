"""Encode pixels as PNG, JPEG, WebP or AVIF. The colour profile is the only metadata of the file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from PIL import Image

from blur.imaging.compositing.composite import composite
from blur.imaging.encode.png import write_png
from blur.imaging.strips import thread_count
from blur.parameter_errors import InvalidFormatError, InvalidQualityError

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, ImageU8, RgbU8

WHITE = 255
"""The level of the background in formats without transparency."""
RGBA_CHANNELS = 4
QUALITIES = range(1, 101)


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A complete file and its media type."""

    data: bytes = field(repr=False)
    content_type: str


class Writer(Protocol):
    """A function that encodes images in one format."""

    def __call__(
        self, image: ImageU8, icc_profile: bytes | None, quality: int, /, *, compact: bool
    ) -> bytes:
        """Encode (H, W, 3) or (H, W, 4) with a profile and a quality, 1 to 100.

        With `compact`, the encoder takes more time for a smaller file, if the format allows this.
        """


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """An output format: its encoder, its media type and its limits."""

    content_type: str
    write: Writer
    supports_alpha: bool = True
    max_side_px: int = 2**31 - 1
    """The longest side that the format allows; the default is for PNG (ISO/IEC 15948, 11.2.2)."""
    max_megapixels: float = math.inf
    """The size of the largest image that we encode in this format."""
    max_alpha_megapixels: float = math.inf
    """The size of the largest image with an alpha channel that we encode in this format."""


def encode(  # noqa: PLR0913 - it gets an image and all properties of the file
    pixels: RgbU8,
    alpha: AlphaU8 | None,
    icc_profile: bytes | None,
    output: str,
    quality: int,
    *,
    compact: bool = False,
) -> EncodedImage:
    """Encode an image, (H, W, 3) with alpha (H, W) or None, in one of `OUTPUT_FORMATS`.

    If the format has no transparency, the image is composited over white. With `compact`, a PNG is
    smaller, but encoding takes more time.

    Raises:
        InvalidFormatError: `output` is unknown, or the format does not allow this size.
        InvalidQualityError: `quality` is out of range.

    """
    check_format(output, quality)
    check_size(output, pixels.shape, has_alpha=alpha is not None)
    output_format = OUTPUT_FORMATS[output]
    if alpha is not None and not output_format.supports_alpha:
        pixels, alpha = over_white(pixels, alpha), None
    image = pixels if alpha is None else cv2.merge((pixels, alpha))
    return EncodedImage(
        output_format.write(image, icc_profile, quality, compact=compact),
        output_format.content_type,
    )


def over_white(pixels: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Composite an image, (H, W, 3) with alpha (H, W), over white."""
    return composite(pixels, np.full_like(pixels, WHITE), alpha)


def encode_small_jpeg(pixels: RgbU8, icc_profile: bytes | None, quality: int) -> EncodedImage:
    """Encode (H, W, 3) as JPEG with the best Huffman codes (ITU-T T.81, K.2).

    The file has the same pixels as a JPEG from `encode` and fewer bytes, but encoding takes more
    time. An image that is almost only noise gets the usual codes.
    """
    write = partial(_write_jpeg, pixels, icc_profile, quality, compact=True)
    try:
        data = write(optimize=True)
    except OSError:
        # For the best codes, libjpeg needs a buffer for the whole file. Pillow's buffer has one
        # byte for each pixel (two at quality 95 and above), and at least 64 KiB. This is too small
        # for noise.
        data = write()
    return EncodedImage(data, OUTPUT_FORMATS["jpeg"].content_type)


def check_format(output: str, quality: int) -> None:
    """Raise an error for an unknown format, or for a quality that is out of range."""
    if output not in OUTPUT_FORMATS:
        message = f"format must be one of: {', '.join(OUTPUT_FORMATS)}."
        raise InvalidFormatError(message)
    if quality not in QUALITIES:
        message = f"quality must be from {QUALITIES.start} to {QUALITIES.stop - 1}."
        raise InvalidQualityError(message)


def check_size(output: str, shape: tuple[int, ...], *, has_alpha: bool) -> None:
    """Raise `InvalidFormatError` if an image of this shape, (H, W, ...), is too large.

    The limit of a format can be smaller for images with an alpha channel than for opaque images.
    """
    output_format = OUTPUT_FORMATS[output]
    if max(shape[:2]) > output_format.max_side_px:
        message = (
            f"An image in {output} can have at most {output_format.max_side_px} pixels on a side."
        )
        raise InvalidFormatError(message)
    max_megapixels = min(
        output_format.max_megapixels, output_format.max_alpha_megapixels if has_alpha else math.inf
    )
    if shape[0] * shape[1] > 1e6 * max_megapixels:
        kind = "An image with transparency" if has_alpha else "An image"
        message = f"{kind} in {output} can have at most {max_megapixels} megapixels."
        raise InvalidFormatError(message)


def _write_png(image: ImageU8, icc_profile: bytes | None, _: int, /, *, compact: bool) -> bytes:
    return write_png(image, icc_profile, thread_count(), compact=compact)


def _write_with_pillow(
    image: ImageU8,
    icc_profile: bytes | None,
    quality: int,
    /,
    *,
    name: str,
    compact: bool,  # noqa: ARG001 - one of the arguments of every `Writer`
    **options: object,
) -> bytes:
    """Encode with Pillow. Each format's options balance time and size."""
    file = BytesIO()
    Image.fromarray(image).save(file, name, quality=quality, icc_profile=icc_profile, **options)
    return file.getvalue()


_write_jpeg = partial(_write_with_pillow, name="JPEG", subsampling="4:4:4")


def _write_avif(
    image: ImageU8, icc_profile: bytes | None, quality: int, /, *, compact: bool
) -> bytes:
    """Encode as AVIF with lossless alpha: lossy alpha leaves visible errors at edges."""
    options = {"advanced": {"alpha:lossless": "1"}} if image.shape[2] == RGBA_CHANNELS else {}
    return _write_with_pillow(
        image, icc_profile, quality, compact=compact, name="AVIF", speed=9, **options
    )


OUTPUT_FORMATS: dict[str, OutputFormat] = {
    "png": OutputFormat("image/png", _write_png),
    "jpeg": OutputFormat(
        "image/jpeg",
        _write_jpeg,
        supports_alpha=False,
        max_side_px=65_500,
    ),
    # 50 megapixels need too much memory and time on Lambda: libaom takes 27 bytes and 0.2 µs of
    # CPU time for each pixel, and libwebp's lossless alpha takes as much.
    "webp": OutputFormat(
        "image/webp",
        partial(_write_with_pillow, name="WebP", method=2),
        max_side_px=16_383,
        max_alpha_megapixels=36,
    ),
    "avif": OutputFormat("image/avif", _write_avif, max_side_px=65_535, max_megapixels=36),
}
"""The formats by the value of the `format` field."""
