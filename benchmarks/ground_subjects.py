"""Drawn subjects, painted with the photos and textures of scikit-image."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from skimage import data

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8

GROUNDS = ("brick", "grass", "gravel")
"""The textures for the ground; they are grey."""


@cache
def texture(name: str) -> RgbU8:
    """Return a picture of scikit-image in colour, uint8 (H, W, 3)."""
    picture: RgbU8 = np.array(getattr(data, name)())
    is_grey = name in GROUNDS
    return np.dstack([picture] * 3) if is_grey else picture


def _person() -> tuple[AlphaU8, RgbU8]:
    mask = np.zeros((1600, 640), np.uint8)
    cv2.ellipse(mask, (320, 130), (95, 125), 0, 0, 360, 255, -1)
    cv2.rectangle(mask, (290, 230), (350, 320), 255, -1)
    cv2.fillPoly(mask, [np.array([(170, 320), (470, 320), (440, 860), (200, 860)])], 255)
    cv2.fillPoly(mask, [np.array([(170, 320), (90, 800), (140, 810), (230, 400)])], 255)
    cv2.fillPoly(mask, [np.array([(470, 320), (550, 800), (500, 810), (410, 400)])], 255)
    cv2.fillPoly(mask, [np.array([(200, 850), (318, 850), (290, 1600), (200, 1600)])], 255)
    cv2.fillPoly(mask, [np.array([(322, 850), (440, 850), (450, 1570), (360, 1570)])], 255)
    return mask, _painted(mask, "astronaut")


def _horse() -> tuple[AlphaU8, RgbU8]:
    shape = 255 * ~texture("horse")
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    cut = shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8)
    large = cv2.resize(cut, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    mask = cv2.threshold(cv2.GaussianBlur(large, (0, 0), 3), 127, 255, cv2.THRESH_BINARY)[1]
    return mask, _painted(mask, "chelsea")


def _bicycle() -> tuple[AlphaU8, RgbU8]:
    mask = np.zeros((1000, 1720), np.uint8)
    for centre in (360, 1360):
        cv2.circle(mask, (centre, 640), 340, 255, 40)
        for angle in np.linspace(0, np.pi, 8, endpoint=False):
            reach = np.array((np.cos(angle), np.sin(angle))) * 340
            ends = np.rint(np.array((centre, 640)) + np.array((reach, -reach))).astype(int)
            cv2.line(mask, ends[0].tolist(), ends[1].tolist(), 255, 8)
    for one, other in ((360, 640), (700, 180)), ((700, 180), (1180, 180)), ((860, 660), (700, 180)):
        cv2.line(mask, one, other, 255, 40)
    for one, other in (
        ((860, 660), (1180, 180)),
        ((360, 640), (860, 660)),
        ((1120, 40), (1360, 640)),
    ):
        cv2.line(mask, one, other, 255, 40)
    cv2.line(mask, (600, 120), (800, 120), 255, 50)
    cv2.line(mask, (1060, 40), (1240, 40), 255, 40)
    return mask[: 640 + 340 + 20], _painted(mask, "rocket")


def _box() -> tuple[AlphaU8, RgbU8]:
    mask = np.full((600, 500), 255, np.uint8)
    return mask, _painted(mask, "astronaut")


def _painted(mask: AlphaU8, name: str) -> RgbU8:
    painted: RgbU8 = cv2.resize(texture(name), mask.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return painted


SHAPES = {"person": _person, "horse": _horse, "bicycle": _bicycle, "box": _box}
"""The functions that return a subject's alpha and colours, by the subject's name."""
