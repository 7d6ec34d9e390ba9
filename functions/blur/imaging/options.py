"""What is asked to be done to a photo."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_QUALITY = 90
"""Of the formats that lose something: nobody sees a difference, and files stay small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurOptions:
    """Everything that shapes the result, besides the photo itself."""

    radius_px: int
    """The blur's standard deviation in pixels of the upright image; 0 leaves it sharp."""
    kernel: str = "gaussian"
    """One of `lens.KERNELS`."""
    mode: str = "background"
    """One of `pipeline.MODES`."""
    output: str = "png"
    """One of `encode.FORMATS`."""
    quality: int = DEFAULT_QUALITY
    """1 to 100; says nothing to a format that keeps everything."""
