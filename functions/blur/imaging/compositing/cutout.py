"""The subject alone, sharp, on a transparent ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from blur.imaging.arrays import to_u8
from blur.imaging.compositing.foreground import Layer, LayerColours, decontaminate
from blur.imaging.resample import upscale

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8


def subject_colours(photo: RgbU8, matte: AlphaU8, layers: LayerColours) -> RgbU8:
    """Return the subject's straight colours, (H, W, 3), wherever it is seen and beyond.

    Composed over anything, its soft edge holds none of the old background. The colours go on
    where the matte is 0, so that a viewer which interpolates straight colour shows no fringe.
    """
    beyond = to_u8(upscale(layers.foreground, matte.shape))
    subject = decontaminate(photo, matte, layers, Layer.FOREGROUND)
    cv2.copyTo(subject, matte, beyond)
    return beyond
