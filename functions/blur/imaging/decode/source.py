"""An opened file: its header is read, its pixels are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.imaging.decode.colour import to_rgb
from blur.imaging.decode.encoding import rendered
from blur.imaging.decode.exif import orientation_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from PIL.ImageFile import ImageFile

    from blur.imaging.arrays import Coverage, Pixels
    from blur.imaging.decode.boxes import Rectangle
    from blur.imaging.decode.encoding import Encoding


class Source:
    """A file that Pillow opened; formats override what they do otherwise."""

    encoding: Encoding | None = None
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
        return orientation_of(self.image.info.get("exif", b""))

    def read(self) -> tuple[Pixels, Coverage | None, bytes | None]:
        """Decode: RGB (H, W, 3), alpha (H, W), and the profile of RGB; None is sRGB."""
        image = self.load()
        if self.encoding is None or (image.info.get("icc_profile") and not self.encoding.hdr):
            return to_rgb(image)
        image.info.pop("icc_profile", None)
        pixels, alpha, _ = to_rgb(image)
        deep = self.deep_samples() if self.encoding.needs_depth else None
        pixels, profile = rendered(pixels if deep is None else deep, self.encoding)
        return pixels, alpha, profile

    def load(self) -> Image.Image:
        """Decode by Pillow."""
        self.image.load()
        return self.image

    def deep_samples(self) -> NDArray[np.uint16] | None:
        """Decode once more to 16-bit RGB (H, W, 3), where the file has more than 8 bits."""
        return None
