"""Pixels into a file: the colour profile goes along, nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from blur.errors import InvalidFormatError

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished file and the media type to send it with."""

    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Format:
    """One output format: how Pillow writes it and what HTTP calls it."""

    pillow_name: str
    content_type: str
    options: dict[str, Any]


FORMATS: dict[str, Format] = {
    "png": Format("PNG", "image/png", {"compress_level": 1}),
}
"""By the value of the `format` field. PNG's level 1 is a third of level 6's time for a
fifth more bytes on a 12-megapixel photo."""


def encode(
    pixels: Pixels, alpha: Coverage | None, icc_profile: bytes | None, output: str = "png"
) -> Encoded:
    """Write the picture, (H, W, 3) with alpha (H, W) or None, in one of `FORMATS`.

    Raises:
        InvalidFormatError: `output` is none of them.

    """
    check_format(output)
    chosen = FORMATS[output]
    picture = pixels if alpha is None else np.dstack((pixels, alpha))
    file = BytesIO()
    image = Image.fromarray(picture)
    image.save(file, chosen.pillow_name, icc_profile=icc_profile, **chosen.options)
    return Encoded(file.getvalue(), chosen.content_type)


def check_format(output: str) -> None:
    """Raise InvalidFormatError unless `output` is one of `FORMATS`."""
    if output not in FORMATS:
        message = f"format must be one of: {', '.join(FORMATS)}."
        raise InvalidFormatError(message)
