"""An opened file: its header is read, its pixels are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.decode.colour_space import to_8bit
from blur.imaging.decode.exif import read_orientation
from blur.imaging.decode.rgb import is_profile_usable, to_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from PIL.ImageFile import ImageFile

    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.decode.boxes import Rectangle
    from blur.imaging.decode.colour_space import ColourSpace

_RGBA = 4


def bgr_to_rgb(samples: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return OpenCV's grey, BGR or BGRA as RGB or RGBA."""
    if samples.ndim == 2:  # noqa: PLR2004 - rows and columns
        return np.repeat(samples[..., np.newaxis], 3, axis=2)
    code = cv2.COLOR_BGRA2RGBA if samples.shape[2] == _RGBA else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(samples, code), np.uint16)


class Source:
    """A file that Pillow opened; formats override what they do otherwise."""

    colour_space: ColourSpace | None = None
    """How colours are encoded, if the file has no ICC profile and they are not in sRGB."""
    crop: Rectangle | None = None
    """The part of the stored picture that is to be shown; None is all of it."""

    def __init__(self, image: ImageFile) -> None:
        """Take an image whose pixels are not loaded."""
        self.image = image

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    @property
    def orientation(self) -> int:
        """EXIF's orientation, which the loaded pixels still have."""
        return read_orientation(self.image.info.get("exif", b""))

    @property
    def profile(self) -> bytes | None:
        """The ICC profile, as it is in the file."""
        return self.image.info.get("icc_profile")

    def read(self) -> tuple[RgbU8, AlphaU8 | None, bytes | None]:
        """Decode: RGB (H, W, 3), alpha (H, W), and the profile of RGB; None is sRGB."""
        encoding = self.colour_space
        if encoding is None or (
            encoding.hdr is None and is_profile_usable(self.profile, self.image.mode)
        ):
            return to_rgb(self.load())
        deep = self.load_16bit() if encoding.needs_16bit else None
        if deep is not None:
            pixels, profile = to_8bit(deep[..., :3], encoding)
            has_alpha = deep.shape[2] == _RGBA
            return pixels, (deep[..., 3] >> 8).astype(np.uint8) if has_alpha else None, profile
        image = self.load()
        image.info.pop("icc_profile", None)
        pixels, alpha, _ = to_rgb(image)
        pixels, profile = to_8bit(pixels, encoding)
        return pixels, alpha, profile

    def load(self) -> Image.Image:
        """Decode by Pillow."""
        self.image.load()
        return self.image

    def load_16bit(self) -> NDArray[np.uint16] | None:
        """Decode to 16-bit RGB or RGBA (H, W, C), if the file has more than 8 bits."""
        return None
