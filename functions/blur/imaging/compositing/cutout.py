"""The subject alone, sharp, on a transparent ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from blur.imaging.arrays import to_bytes
from blur.imaging.compositing.foreground import Layers, Side, pure
from blur.imaging.resample import enlarged

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels


def subject_colours(photo: Pixels, matte: Coverage, layers: Layers) -> Pixels:
    """Return the subject's straight colours, (H, W, 3), wherever it is seen and beyond.

    Composed over anything, its soft edge holds none of the old background. The colours go on
    where the matte is 0, so that a viewer which interpolates straight colour shows no fringe.
    """
    beyond = to_bytes(enlarged(layers.foreground, matte.shape))
    subject = pure(photo, matte, layers, Side.SUBJECT)
    cv2.copyTo(subject, matte, beyond)
    return beyond
