"""Make wide half-transparent regions opaque or transparent.

Such regions are errors: hair and blurred edges are narrow, but an uncertain network leaves whole
persons or objects half transparent. If a region of half-transparent pixels is wider than an edge,
each pixel of the region becomes opaque or transparent. A faint region that is far from all opaque
pixels, such as an arm that the network almost misses, is removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32

    Mask: TypeAlias = NDArray[np.bool_]

TRANSPARENT, OPAQUE = 0.1, 0.9
"""A pixel is half transparent if its alpha is strictly between these two values."""
EDGE = 1 / 40
"""The radius of the largest disc that fits into the half-transparent pixels of an edge, as a share
of the map's longer side. The widest edge of fur in four photos from AM-2k has a radius of 0.022."""
HALF = 0.5
VISIBLE = 0.02
"""A pixel with a lower alpha is not visible."""
FAINT = 0.3
"""A region is faint if its mean alpha is lower than this value."""
LOOSE, FAR = 0.03, 0.06
"""Distances from the nearest opaque pixel, as shares of the map's longer side. Hair and soft edges
are nearer than `LOOSE`. A faint region that is farther away is removed if a part of the region is
farther than `FAR`. For 145 photos of people and 100 photos from ECSSD, removing these regions
reduced the error of 141 maps and increased the error of 22."""
SLOPE = 0.22
"""A region is a slope from opaque to transparent if its alpha has at least this standard deviation.
A slope is not an error of the network: it can be the edge of a subject that is out of focus. An
even slope has a standard deviation of 0.23; the alpha of a region that the network got wrong varies
less."""
PERSON_WEIGHT, BACKGROUND_WEIGHT = 0.3, 1.0
"""The weights of the map of people at pixels that show a person, and at all other pixels; the
saliency map has the weight 1. The map of people also shows things that are not persons, but rarely
misses a person."""


def find_wide_half_transparent(alpha: AlphaF32) -> Mask:
    """Return a mask, (h, w), of the regions of half-transparent pixels that are wider than an edge.

    These pixels are the union of all discs with a radius of `EDGE` that fit into the
    half-transparent pixels.
    """
    radius_px = EDGE * max(alpha.shape)
    between = (alpha > TRANSPARENT) & (alpha < OPAQUE)
    core: Mask = _distance(np.pad(between, 1))[1:-1, 1:-1] > radius_px
    if not core.any():
        return core
    discs: Mask = _distance(~core) <= radius_px
    return discs


def resolve_half_transparent(alpha: AlphaF32, people: AlphaF32 | None = None) -> AlphaF32:
    """Return the map `alpha`; in its wide half-transparent regions, all values become 0 or 1.

    All pixels of a region get the same value, which depends on the region's mean; only a slope is
    divided, at the alpha 1/2. With a map of `people`, (h, w), a region is first divided at the
    outlines of the people, and the mean of each part is computed from both maps.
    """
    wide = find_wide_half_transparent(alpha)
    if not wide.any():
        return alpha
    _, labels = cv2.connectedComponents(wide.astype(np.uint8))
    regions, votes = labels[wide], alpha[wide]
    if people is not None:
        shown = people[wide]
        is_person = shown > HALF
        regions = 2 * regions + is_person
        weights = np.where(is_person, PERSON_WEIGHT, BACKGROUND_WEIGHT)
        votes = (votes + weights * shown) / (1 + weights)
    resolved = alpha.copy()
    resolved[wide] = _decide(votes, regions)
    return resolved


def remove_faint(alpha: AlphaF32) -> AlphaF32:
    """Return the map without the faint regions that are far from all opaque pixels.

    A map without opaque pixels is not changed.
    """
    opaque = alpha >= OPAQUE
    if not opaque.any():
        return alpha
    distance = _distance(~opaque) / max(alpha.shape)
    loose = (alpha > VISIBLE) & (distance > LOOSE)
    count, labels = cv2.connectedComponents(loose.astype(np.uint8))
    regions = labels[loose]
    farthest = np.zeros(count, np.float32)
    np.maximum.at(farthest, regions, distance[loose])
    means = np.bincount(regions, alpha[loose], count) / np.maximum(
        np.bincount(regions, minlength=count), 1
    )
    is_removed = (farthest > FAR) & (means < FAINT)
    return np.where(is_removed[labels], np.float32(0), alpha)


def _decide(votes: NDArray[np.float32], regions: NDArray[np.int32]) -> Mask:
    """Return which pixels become opaque, (n,).

    `votes` has the value of each pixel, and `regions` has the number of the region to which the
    pixel belongs.
    """
    counts = np.maximum(np.bincount(regions), 1)
    means = np.bincount(regions, votes) / counts
    variances = np.bincount(regions, np.square(votes)) / counts - means**2
    is_slope = variances > SLOPE**2
    return np.where(is_slope[regions], votes, means[regions]) > HALF


def _distance(mask: Mask) -> NDArray[np.float32]:
    """Return the distance of each pixel to the nearest pixel outside the mask."""
    distance: NDArray[np.float32] = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    return distance
