"""The blur options, their values, and the steps of the pipeline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blur.imaging.encode.formats import check_format
from blur.parameter_errors import (
    InvalidBlurError,
    InvalidDepthError,
    InvalidModeError,
    InvalidSubjectError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.imaging.roi import Roi

STEPS = ("decode", "matte", "refine", "blur", "encode")
"""The steps of `pipeline.blur_photo`, in order."""

MODE_NAMES = ("background", "cutout")
"""The values of the `mode` field, and the keys of `modes.MODES`."""
KERNEL_NAMES = ("gaussian", "bokeh")
"""The values of the `blur` field, and the keys of `lens.KERNELS`."""
SUBJECT_NAMES = ("auto", "person")
"""The values of the `subject` field, and the keys of `decomposition.SUBJECTS`."""
DEPTHS = ("flat", "ground")
"""The values of the `depth` field: how the blur depends on the distance."""
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
    """One of `KERNEL_NAMES`."""
    depth: str = "flat"
    """One of `DEPTHS`."""
    roi: Roi | None = None
    """The region in which the subject is searched for; None means the whole photo."""
    mode: str = "background"
    """One of `MODE_NAMES`."""
    output: str = "png"
    """One of `formats.OUTPUT_FORMATS`."""
    quality: int = DEFAULT_QUALITY
    """1 to 100, for lossy formats; lossless formats ignore it."""
    subject: str = "auto"
    """One of `SUBJECT_NAMES`."""

    def radius_in(self, shape: tuple[int, ...]) -> float:
        """Return the radius in pixels, for a photo of (height, width, ...)."""
        return self.radius_px + self.radius_percent * max(shape[:2]) / 100


def parse_radius(text: str) -> Mapping[str, float] | None:
    """Parse a radius such as `12` or `1.5%`; return it as a field of `BlurOptions`.

    Return None for any other text.
    """
    if _PIXELS.fullmatch(text) and int(text) <= MAX_RADIUS_PX:
        return {"radius_px": int(text)}
    percentage = _PERCENTAGE.fullmatch(text)
    smallest, largest = RADIUS_PERCENT
    if percentage and smallest <= float(percentage[1]) <= largest:
        return {"radius_percent": float(percentage[1])}
    return None


def check_options(options: BlurOptions) -> None:
    """Raise the error for the first option that has an unknown value."""
    for field, value, allowed, error in (
        ("mode", options.mode, MODE_NAMES, InvalidModeError),
        ("blur", options.kernel, KERNEL_NAMES, InvalidBlurError),
        ("subject", options.subject, SUBJECT_NAMES, InvalidSubjectError),
        ("depth", options.depth, DEPTHS, InvalidDepthError),
    ):
        if value not in allowed:
            message = f"{field} must be one of: {', '.join(allowed)}."
            raise error(message)
    check_format(options.output, options.quality)
