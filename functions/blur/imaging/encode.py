"""Pixels into a file: the colour profile goes along, nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from blur.errors import InvalidFormatError
from blur.imaging.png import write_png

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.arrays import Coverage, Pixels


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished file and the media type to send it with."""

    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Format:
    """One output format: what writes it and what HTTP calls it."""

    write: Callable[[Pixels, bytes | None], bytes]
    content_type: str


FORMATS: dict[str, Format] = {"png": Format(write_png, "image/png")}
"""By the value of the `format` field."""


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
    return Encoded(chosen.write(picture, icc_profile), chosen.content_type)


def check_format(output: str) -> None:
    """Raise InvalidFormatError unless `output` is one of `FORMATS`."""
    if output not in FORMATS:
        message = f"format must be one of: {', '.join(FORMATS)}."
        raise InvalidFormatError(message)
