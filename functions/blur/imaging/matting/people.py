"""Combine the saliency map with the map of the network for people.

The saliency map is more precise and includes all kinds of subjects, but it misses persons in a
group, and dark or white clothes in a portrait. The network for people finds whole persons, but also
animals and statues. So its map is used only where the saliency map is half transparent, and for
portraits. The limits were chosen on 145 photos of people, and on 100 photos from ECSSD
and 4 from AM-2k: docs/imaging.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from blur.imaging.matting.half_transparent import (
    find_wide_half_transparent,
    resolve_half_transparent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32

    Mask: TypeAlias = NDArray[np.bool_]

HALF = 0.5
MIN_AREA = 0.002
"""A region of the map of people counts as a person only if it covers at least this share of the
picture."""
MIN_PERSON = 0.8
"""If each region of the map of people has a lower mean than this, the photo shows no person. In
each of 145 photos of people, one region has a mean of at least 0.85. In 27 of 100 photos from
ECSSD, each region has a mean below `MIN_PERSON`."""
MIN_SALIENT = 0.3
"""A person counts as a subject if at least this share of the person is salient; all other persons
are in the background."""
MIN_CERTAINTY, MIN_COVERED = 0.9, 0.5
"""The map of people is used for half-transparent regions only if its mean over the persons' pixels
is at least `MIN_CERTAINTY`, and if the persons cover at least `MIN_COVERED` of the salient
pixels."""
PORTRAIT_SALIENT = 0.45, 0.86
"""A photo is treated as a portrait only if the share of the person's pixels that are salient is in
this range. With a smaller share, the person is not the subject. With a larger share, the two maps
differ only at the outline, and the saliency map's outline is better."""
PORTRAIT_BORDER = 0.5
"""A photo is treated as a portrait only if the person covers at least this share of the picture's
lower border."""
PORTRAIT_CERTAINTY = 0.9
"""The smallest mean of the map of people in the region of a portrait. This minimum also applies to
the pixelwise minimum of two maps: of the photo, and of the mirrored photo. For a photo of a camel
in front of a pyramid, which must not count as a portrait, the mean of the pixelwise minimum is
0.41."""


def find_people(people: AlphaF32) -> list[Mask]:
    """Return the regions of the map of people, each (h, w), that are large enough for a person."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((people > HALF).astype(np.uint8))
    large = stats[:, cv2.CC_STAT_AREA] >= MIN_AREA * people.size
    return [labels == label for label in np.flatnonzero(large) if label > 0]


def has_person(people: AlphaF32) -> bool:
    """Return whether the map of people has a region whose mean is at least `MIN_PERSON`."""
    return any(people[each].mean() >= MIN_PERSON for each in find_people(people))


def keep_people(people: AlphaF32) -> AlphaF32:
    """Return the map of people without the regions that are too small for a person."""
    kept = np.any([*find_people(people), people <= HALF], axis=0)
    return np.where(kept, people, np.float32(0))


def combine(saliency: AlphaF32, people: AlphaF32, mirrored: Callable[[], AlphaF32]) -> AlphaF32:
    """Return the saliency map, with portraits completed and wide half-transparent regions resolved.

    All maps are (h, w), 0..1. `mirrored` predicts the map of people for the mirrored photo, and
    mirrors the map back; `mirrored` is called only if the photo has a portrait.
    """
    has_portrait = (people[-1] > HALF).mean() >= PORTRAIT_BORDER
    if not has_portrait and not find_wide_half_transparent(saliency).any():
        return saliency
    salient = saliency > HALF
    persons = [each for each in find_people(people) if salient[each].mean() >= MIN_SALIENT]
    if not persons:
        return resolve_half_transparent(saliency)
    portraits = [each for each in persons if _is_portrait(each, salient, people)]
    if portraits:
        saliency = _complete(saliency, people, mirrored(), portraits)
    return resolve_half_transparent(
        saliency, people if _is_about_people(persons, salient, people) else None
    )


def _is_about_people(persons: list[Mask], salient: Mask, people: AlphaF32) -> bool:
    everybody = np.any(persons, axis=0)
    return bool(
        np.count_nonzero(salient & everybody) >= MIN_COVERED * np.count_nonzero(salient)
        and people[everybody].mean() >= MIN_CERTAINTY
    )


def _is_portrait(person: Mask, salient: Mask, people: AlphaF32) -> bool:
    least, most = PORTRAIT_SALIENT
    return bool(
        least <= salient[person].mean() < most
        and person[-1].mean() >= PORTRAIT_BORDER
        and people[person].mean() >= PORTRAIT_CERTAINTY
    )


def _complete(
    saliency: AlphaF32, people: AlphaF32, mirrored: AlphaF32, portraits: list[Mask]
) -> AlphaF32:
    """Add to the saliency map each portrait that is also found in the mirrored photo."""
    both = np.minimum(people, mirrored)
    for person in portraits:
        if both[person].mean() >= PORTRAIT_CERTAINTY:
            saliency = np.where(person, np.maximum(saliency, both), saliency)
    return saliency
