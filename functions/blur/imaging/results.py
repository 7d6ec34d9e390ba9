"""The results of `pipeline` and of `removal.remove`: files and numbers, without arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

SubjectType = Literal["person", "other"]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A complete file and its media type."""

    data: bytes = field(repr=False)
    content_type: str


class BlurredPhoto(NamedTuple):
    """The result of `pipeline.blur_photo`."""

    image: EncodedImage
    depth: str
    """The depth that was used. Even with depth=ground, it is `flat` if no ground was found, or if
    the mode has no background."""
    photo_pixels: int = 0
    """Width times height of the photo."""


class Foreground(NamedTuple):
    """The smallest rectangle of the result that contains the subject, in pixels."""

    top: int
    left: int
    width: int
    height: int


class RemovedBackground(NamedTuple):
    """The result, and the values of its headers in remove.bg's API. Sizes are (width, height)."""

    image: EncodedImage
    """A picture or, with the format `zip`, an archive of two pictures."""
    size: tuple[int, int]
    max_size: tuple[int, int]
    """The size that the result has with size=full, or with size=50MP if this was requested."""
    foreground: Foreground
    subject_type: SubjectType
    photo_pixels: int = 0
    """Width times height of the photo, before it is downscaled."""
