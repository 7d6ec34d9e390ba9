"""The options of a blur."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_QUALITY = 90
"""For the lossy formats: no visible loss, and small files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurOptions:
    """The fields of a blur request without the photo."""

    radius_px: int
    """The standard deviation of the blur in pixels of the upright photo; 0 does not blur."""
    kernel: str = "gaussian"
    """One of `lens.KERNELS`."""
    depth: str = "flat"
    """One of `pipeline.DEPTHS`."""
    mode: str = "background"
    """One of `pipeline.MODES`."""
    output: str = "png"
    """One of `encoder.OUTPUT_FORMATS`."""
    quality: int = DEFAULT_QUALITY
    """1 to 100, for lossy formats; lossless formats ignore it."""
    subject: str = "auto"
    """One of `pipeline.SUBJECTS`."""
