"""Cut out the subject, and place it in the frame of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.compositing.colour_extension import REACH_PX, constant_colour
from blur.imaging.compositing.composite import cutout_colours, multiply
from blur.imaging.compositing.scene import Scene
from blur.imaging.resample import rescale
from blur.imaging.roi import Box

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.decomposition import Decomposition
    from blur.imaging.removal.layout import Layout


def cut_out(found: Decomposition, layout: Layout, matte: AlphaU8 | None) -> tuple[RgbU8, AlphaU8]:
    """Return the subject in its frame as straight colour, (H, W, 3), and alpha, (H, W).

    `matte` is the photo's matte, (height, width). It can be None if the layout shows the whole
    photo: then the matte is computed at the size of the result. Without scaling, the result has
    exactly the photo's colours in opaque pixels.
    """
    scene = _scene(found, layout, matte)
    colours = cutout_colours(scene.photo, scene.matte, scene.layers)
    alpha = multiply(scene.matte, scene.alpha)
    if layout.shape == layout.frame:
        return colours, alpha
    framed = np.empty((*layout.frame, 3), np.uint8)
    framed[:] = constant_colour(found.layers.foreground)
    _put_around(colours, layout, framed)
    framed_alpha = np.zeros(layout.frame, np.uint8)
    framed_alpha[layout.place] = alpha
    return framed, framed_alpha


def find_bounds(alpha: AlphaU8) -> Box | None:
    """Return the smallest box that contains all pixels above 0, or None if all pixels are 0."""
    left, top, width, height = cv2.boundingRect(alpha)
    return Box(slice(top, top + height), slice(left, left + width)) if width else None


def _scene(found: Decomposition, layout: Layout, matte: AlphaU8 | None) -> Scene:
    """Return the scene for the visible part of the photo, resized for the result."""
    if matte is None:
        alpha = None if found.alpha is None else rescale(found.alpha, layout.shape)
        photo = rescale(found.photo, layout.shape)
        return Scene(photo, alpha, found.matte(layout.shape), found.layers)
    scene = Scene(found.photo, found.alpha, matte, found.layers)
    return scene.crop(*layout.part).resize(layout.shape)


def _put_around(colours: RgbU8, layout: Layout, framed: RgbU8) -> None:
    """Put colours into a frame, and repeat their border pixels over at most `REACH_PX` pixels.

    Without these pixels, a viewer that interpolates colours without weighting them by alpha would
    show a fringe.
    """
    height, width = layout.frame
    rows, columns = layout.place
    above, left = min(REACH_PX, rows.start), min(REACH_PX, columns.start)
    below, right = min(REACH_PX, height - rows.stop), min(REACH_PX, width - columns.stop)
    framed[rows.start - above : rows.stop + below, columns.start - left : columns.stop + right] = (
        cv2.copyMakeBorder(colours, above, below, left, right, cv2.BORDER_REPLICATE)
    )
