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
    """The standard deviation of the blur in pixels of the upright photo. If both radii
    are 0, the photo is not blurred."""
    radius_percent: float = 0
    """The standard deviation of the blur in percent of the photo's longer side. If it is not 0,
    `radius_px` must be 0."""
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
    """Return a radius such as `12` or `1.5%` as an argument of `BlurOptions`.

    The argument is `radius_px` or `radius_percent`. Return None if the text is not a valid radius.
    """
    if _PIXELS.fullmatch(text) and int(text) <= MAX_RADIUS_PX:
        return {"radius_px": int(text)}
    percentage = _PERCENTAGE.fullmatch(text)
    smallest, largest = RADIUS_PERCENT
    if percentage and smallest <= float(percentage[1]) <= largest:
        return {"radius_percent": float(percentage[1])}
    return None


def check_options(options: BlurOptions) -> None:
    """Reject options with unknown values, and a quality that is out of range.

    Raises:
        InvalidParameterError: the error of the first such option.

    """
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
