"""The options of a blur."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.imaging.roi import Roi

DEFAULT_QUALITY = 90
"""The default quality for lossy formats: the loss is not visible, and files are small."""

MAX_RADIUS_PX = 50
RADIUS_PERCENT = (0.1, 5.0)
"""The smallest and the largest radius in percent of the longer side."""
RADIUS_RANGE = "a whole number of pixels from 0 to 50, or 0.1% to 5% of the longer side"
_PIXELS = re.compile(r"[0-9]{1,9}")
_PERCENTAGE = re.compile(r"([0-9](?:\.[0-9]{1,3})?)%")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurOptions:
    """The fields of a blur request, except the photo."""

    radius_px: int = 0
    """The standard deviation of the blur in pixels of the upright photo; 0 does not blur."""
    radius_percent: float = 0
    """The standard deviation in percent of the photo's longer side. It is used instead of
    `radius_px`: one of the two is 0."""
    kernel: str = "gaussian"
    """One of `lens.KERNELS`."""
    depth: str = "flat"
    """One of `modes.DEPTHS`."""
    roi: Roi | None = None
    """The region in which the subject is searched for; None means the whole photo."""
    mode: str = "background"
    """One of `modes.MODES`."""
    output: str = "png"
    """One of `encoder.OUTPUT_FORMATS`."""
    quality: int = DEFAULT_QUALITY
    """1 to 100, for lossy formats; lossless formats ignore it."""
    subject: str = "auto"
    """One of `decomposition.SUBJECTS`."""

    def radius_in(self, shape: tuple[int, ...]) -> float:
        """Return the radius in pixels, for a photo of (height, width, ...)."""
        return self.radius_px + self.radius_percent * max(shape[:2]) / 100


def parse_radius(text: str) -> Mapping[str, float] | None:
    """Return the radius in a text such as `12` or `1.5%` as a field of `BlurOptions`.

    Return None for any other text.
    """
    if _PIXELS.fullmatch(text) and int(text) <= MAX_RADIUS_PX:
        return {"radius_px": int(text)}
    percentage = _PERCENTAGE.fullmatch(text)
    smallest, largest = RADIUS_PERCENT
    if percentage and smallest <= float(percentage[1]) <= largest:
        return {"radius_percent": float(percentage[1])}
    return None
