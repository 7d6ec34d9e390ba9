"""The output formats: their media types and their limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from blur.parameter_errors import InvalidFormatError, InvalidQualityError

QUALITIES = range(1, 101)
"""The values that are allowed as the quality of lossy formats."""


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """An output format: its media type and its limits."""

    content_type: str
    max_side_px: int
    """The longest side that common programs can read."""
    supports_alpha: bool = True
    max_megapixels: float = math.inf
    """The size of the largest image that we encode in this format."""
    max_alpha_megapixels: float = math.inf
    """The size of the largest image with an alpha channel that we encode in this format."""


OUTPUT_FORMATS: dict[str, OutputFormat] = {
    # The format allows 2,147,483,647 pixels, but libpng reads at most this many:
    # PNG_USER_WIDTH_MAX in pnglibconf.h.
    "png": OutputFormat("image/png", max_side_px=1_000_000),
    "jpeg": OutputFormat("image/jpeg", supports_alpha=False, max_side_px=65_500),
    # Images of 50 megapixels would need too much memory and time on Lambda: for each pixel, libaom
    # takes 27 bytes and 0.2 µs of CPU time, and libwebp with lossless alpha takes the same.
    "webp": OutputFormat("image/webp", max_side_px=16_383, max_alpha_megapixels=36),
    # Larger sides can be encoded, but libavif, and so Pillow and Chromium, do not read them:
    # AVIF_DEFAULT_IMAGE_DIMENSION_LIMIT in avif.h.
    "avif": OutputFormat("image/avif", max_side_px=32_768, max_megapixels=36),
}
"""The formats by the value of the `format` field. `encoder.WRITERS` has their encoders."""


def check_format(output: str, quality: int) -> None:
    """Reject an unknown format or a quality that is out of range.

    Raises:
        InvalidFormatError: the format is unknown.
        InvalidQualityError: the quality is not in `QUALITIES`.

    """
    if output not in OUTPUT_FORMATS:
        message = f"format must be one of: {', '.join(OUTPUT_FORMATS)}."
        raise InvalidFormatError(message)
    if quality not in QUALITIES:
        message = f"quality must be from {QUALITIES.start} to {QUALITIES.stop - 1}."
        raise InvalidQualityError(message)


def check_size(output: str, shape: tuple[int, ...], *, has_alpha: bool) -> None:
    """Reject an image of this shape, (H, W, ...), that is too large for the format.

    A format can have a lower limit for images with an alpha channel.

    Raises:
        InvalidFormatError: the image is too large.

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
