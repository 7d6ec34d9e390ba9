"""The removal options: the parameters of remove.bg's API, parsed and checked.

The module also has the names of the steps of a background removal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from blur.imaging.roi import Length

if TYPE_CHECKING:
    from blur.imaging.roi import Roi

STEPS = ("decode", "matte", "refine", "render", "encode")
"""The steps of `remove.remove_background`, in order."""

SIZES: dict[str, float] = {
    "preview": 0.25,
    "small": 0.25,
    "regular": 0.25,
    "medium": 1.5,
    "hd": 4,
    "full": 25,
    "4k": 25,
    "auto": 25,
    "50MP": 50,
}
"""The maximum size of the result, in megapixels of 1,000,000 pixels, by the value of `size`."""
PREVIEW_SIZES = frozenset(
    name for name, megapixels in SIZES.items() if megapixels == SIZES["preview"]
)
"""The values of `size` for a preview, which costs less."""
SCALES = (0.1, 1.0)
"""The smallest and the largest `scale`."""
MAX_MARGIN_PERCENT, MAX_MARGIN_PX = 50, 500
"""The largest `crop_margin` of one side, in percent of the subject's height or width, or in
pixels."""

OUTPUTS = ("auto", "png", "jpg", "webp", "zip")
"""The values of `format`. `auto` is PNG for a matte and for transparent pixels, else JPEG. WebP or
ZIP replaces a PNG that is too large for the response, if the client accepts it."""
CHANNELS = ("rgba", "alpha")
"""The values of `channels`: the subject, or its matte as a grey image."""

Rgba: TypeAlias = tuple[int, int, int, int]
"""Red, green, blue and alpha of a straight colour in sRGB, each 0..255."""
Position: TypeAlias = tuple[float, float] | Literal["original"]
"""The subject's position in the frame. Two numbers, 0..1, are shares of the free width and height;
0 is the left or upper border. `original` keeps the subject's position in the photo."""
CENTER = (0.5, 0.5)


class Margins(NamedTuple):
    """The space around a cropped subject.

    Percentages are of the subject's height (top, bottom) or width (right, left). Pixels are those
    of the upright photo, so that a preview shows the same part of the photo as the full size.
    """

    top: Length
    right: Length
    bottom: Length
    left: Length


NO_MARGIN = Length(0, is_percent=False)
NO_MARGINS = Margins(NO_MARGIN, NO_MARGIN, NO_MARGIN, NO_MARGIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalOptions:
    """The fields of a removal request, except the photo. Their values are already checked."""

    max_megapixels: float = SIZES["preview"]
    """The maximum size of the result in megapixels: one of the values of `SIZES`. A smaller result
    is not enlarged."""
    roi: Roi | None = None
    """The region in which the subject is searched for; None means the whole photo."""
    crop: bool = False
    """Whether the frame is the subject with its margins, not the whole photo."""
    crop_margin: Margins = NO_MARGINS
    """The space around the subject in the frame; it has an effect only with `crop`."""
    scale: float | None = None
    """The size of the subject, 0.1..1; with 1, the subject is as high or as wide as the frame. With
    None, the subject keeps its size."""
    position: Position | None = None
    """None means the centre if there is a `scale`, and otherwise the original position."""
    channels: str = "rgba"
    """One of `CHANNELS`; with `alpha` the background has no effect."""
    colour: Rgba | None = None
    """The background's colour; None means transparent, or white in formats without transparency."""
    background: bytes | None = field(default=None, repr=False)
    """The file of a background image, which covers the frame and is centred. It cannot be combined
    with a `colour`."""
    output: str = "auto"
    """One of `OUTPUTS`."""
