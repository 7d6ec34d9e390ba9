"""An opened image file: its header is already read, and its pixels are not decoded yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.decode.colour_space import to_8bit
from blur.imaging.decode.orientation import read_orientation
from blur.imaging.decode.rgb import is_profile_usable, to_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from PIL.ImageFile import ImageFile

    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.decode.boxes import Rectangle
    from blur.imaging.decode.colour_space import ColourSpace

_RGBA_CHANNELS = 4


def bgr_to_rgb(samples: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return OpenCV's grey, BGR or BGRA samples as RGB or RGBA."""
    if samples.ndim == 2:  # noqa: PLR2004 - grey samples have only rows and columns
        return np.repeat(samples[..., np.newaxis], 3, axis=2)
    code = cv2.COLOR_BGRA2RGBA if samples.shape[2] == _RGBA_CHANNELS else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(samples, code), np.uint16)


class Source:
    """A file that Pillow opened. Subclasses for single formats override some of the methods."""

    colour_space: ColourSpace | None = None
    """The colour space that the file names outside of its ICC profile, or None."""
    crop: Rectangle | None = None
    """The part of the stored image to display; None means the whole image."""
    reduction: int = 1
    """The factor by which the decoded image is smaller than the stored image."""

    def __init__(self, image: ImageFile) -> None:
        """Wrap an image that Pillow has opened, but whose pixels are not loaded yet."""
        self.image = image

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    @property
    def orientation(self) -> int:
        """The EXIF orientation of the loaded pixels."""
        return read_orientation(self.image.info.get("exif", b""))

    @property
    def profile(self) -> bytes | None:
        """The ICC profile in the file."""
        return self.image.info.get("icc_profile")

    def reduce(self, factor: int) -> None:
        """Let `read` return an image whose sides are smaller by a factor, if this is possible.

        `factor` is a power of two. Only a `JpegSource` can do this; other sources ignore the call.
        """

    def read(self) -> tuple[RgbU8, AlphaU8 | None, bytes | None]:
        """Decode, and return RGB (H, W, 3), alpha (H, W) or None, and the RGB profile.

        A profile of None means sRGB.
        """
        colour_space = self.colour_space
        if colour_space is None or (
            colour_space.hdr is None and is_profile_usable(self.profile, self.image.mode)
        ):
            return to_rgb(self.load())
        samples = self.load_16bit() if colour_space.needs_16bit else None
        if samples is not None:
            pixels, profile = to_8bit(samples[..., :3], colour_space)
            has_alpha = samples.shape[2] == _RGBA_CHANNELS
            return pixels, (samples[..., 3] >> 8).astype(np.uint8) if has_alpha else None, profile
        image = self.load()
        image.info.pop("icc_profile", None)
        pixels, alpha, _ = to_rgb(image)
        pixels, profile = to_8bit(pixels, colour_space)
        return pixels, alpha, profile

    def load(self) -> Image.Image:
        """Decode with Pillow."""
        self.image.load()
        return self.image

    def load_16bit(self) -> NDArray[np.uint16] | None:
        """Return 16-bit RGB or RGBA, (H, W, C); None if `load` must decode the file to 8 bits."""
        return None
