"""Convert colours from one RGB profile to another."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms

if TYPE_CHECKING:
    from blur.imaging.arrays import RgbU8

LEVELS = np.array(range(0, 256, 51), np.uint8)
SAMPLES: RgbU8 = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), axis=-1).reshape(1, -1, 3)
"""Colours on a regular grid, which show whether two profiles differ."""
MAX_DIFFERENCE = 2
"""Two profiles count as equal if their colours, 0..255, differ by at most this value: many profiles
are slightly different descriptions of sRGB."""


def convert_profile(pixels: RgbU8, source: bytes | None, target: bytes | None) -> RgbU8:
    """Return the colours, (H, W, 3), converted from one RGB profile to another; None means sRGB.

    If a profile cannot be used, or the two profiles count as equal, the colours do not change.
    """
    if source == target:
        return pixels
    try:
        transform = _build(source, target)
    except (OSError, ImageCms.PyCMSError):
        return pixels
    difference = _apply(transform, SAMPLES).astype(np.int16) - SAMPLES
    return pixels if np.abs(difference).max() <= MAX_DIFFERENCE else _apply(transform, pixels)


def _build(source: bytes | None, target: bytes | None) -> ImageCms.ImageCmsTransform:
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return ImageCms.buildTransform(_open(source), _open(target), "RGB", "RGB", intent)


def _open(profile: bytes | None) -> ImageCms.ImageCmsProfile:
    if profile is None:
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.getOpenProfile(BytesIO(profile))


def _apply(transform: ImageCms.ImageCmsTransform, pixels: RgbU8) -> RgbU8:
    converted = transform.apply(Image.fromarray(pixels))
    return np.asarray(converted)
