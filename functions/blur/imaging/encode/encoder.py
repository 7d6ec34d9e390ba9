"""Encode pixels as PNG, JPEG, WebP or AVIF. The colour profile is the only metadata of the file."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from PIL import Image

from blur.imaging.compositing.composite import composite
from blur.imaging.encode.formats import OUTPUT_FORMATS, check_format, check_size
from blur.imaging.encode.png import write_png
from blur.imaging.results import EncodedImage
from blur.imaging.strips import thread_count

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, ImageU8, RgbU8

WHITE = 255
"""The value of red, green and blue in the background, for formats without transparency."""
RGBA_CHANNELS = 4


class Writer(Protocol):
    """A function that encodes images in one format."""

    def __call__(
        self, image: ImageU8, icc_profile: bytes | None, quality: int, /, *, compact: bool
    ) -> bytes:
        """Encode an image, (H, W, 3) or (H, W, 4), with a profile and a quality, 1 to 100.

        With `compact`, the encoder takes more time for a smaller file, if the format allows this.
        """


def encode(  # noqa: PLR0913 - it gets an image and all properties of the file
    pixels: RgbU8,
    alpha: AlphaU8 | None,
    icc_profile: bytes | None,
    output: str,
    quality: int,
    *,
    compact: bool = False,
) -> EncodedImage:
    """Encode an image, (H, W, 3) with alpha (H, W) or None, in a format of `OUTPUT_FORMATS`.

    If the format has no transparency, the image is composited over white. With `compact`, a PNG is
    smaller, but encoding it takes more time.

    Raises:
        InvalidFormatError: `output` is unknown, or the format does not allow this size.
        InvalidQualityError: `quality` is out of range.

    """
    check_format(output, quality)
    check_size(output, pixels.shape, has_alpha=alpha is not None)
    output_format = OUTPUT_FORMATS[output]
    if alpha is not None and not output_format.supports_alpha:
        pixels, alpha = over_white(pixels, alpha), None
    image = pixels if alpha is None else cv2.merge((pixels, alpha))
    return EncodedImage(
        WRITERS[output](image, icc_profile, quality, compact=compact),
        output_format.content_type,
    )


def over_white(pixels: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Composite an image, (H, W, 3) with alpha (H, W), over white."""
    return composite(pixels, np.full_like(pixels, WHITE), alpha)


def encode_small_jpeg(pixels: RgbU8, icc_profile: bytes | None, quality: int) -> EncodedImage:
    """Encode an image, (H, W, 3), as JPEG with the best Huffman codes (ITU-T T.81, K.2).

    The file has the same pixels as a JPEG from `encode`, and fewer bytes, but encoding takes more
    time. An image that is mostly noise gets the usual Huffman codes.
    """
    write = partial(_write_jpeg, pixels, icc_profile, quality, compact=True)
    try:
        data = write(optimize=True)
    except OSError:
        # For the best Huffman codes, libjpeg needs a buffer for the whole file. Pillow's buffer has
        # one byte for each pixel (two at quality 95 and above), and at least 64 KiB. The file of an
        # image that is mostly noise can be larger.
        data = write()
    return EncodedImage(data, OUTPUT_FORMATS["jpeg"].content_type)


def _write_png(image: ImageU8, icc_profile: bytes | None, _: int, /, *, compact: bool) -> bytes:
    return write_png(image, icc_profile, thread_count(), compact=compact)


def _write_with_pillow(
    image: ImageU8,
    icc_profile: bytes | None,
    quality: int,
    /,
    *,
    name: str,
    compact: bool,  # noqa: ARG001 - one of the arguments of every `Writer`
    **options: object,
) -> bytes:
    """Encode with Pillow. Each format's options balance time and size."""
    file = BytesIO()
    Image.fromarray(image).save(file, name, quality=quality, icc_profile=icc_profile, **options)
    return file.getvalue()


_write_jpeg = partial(_write_with_pillow, name="JPEG", subsampling="4:4:4")


def _write_avif(
    image: ImageU8, icc_profile: bytes | None, quality: int, /, *, compact: bool
) -> bytes:
    """Encode as AVIF with lossless alpha: lossy alpha leaves visible errors at edges."""
    options = {"advanced": {"alpha:lossless": "1"}} if image.shape[2] == RGBA_CHANNELS else {}
    return _write_with_pillow(
        image, icc_profile, quality, compact=compact, name="AVIF", speed=9, **options
    )


WRITERS: dict[str, Writer] = {
    "png": _write_png,
    "jpeg": _write_jpeg,
    "webp": partial(_write_with_pillow, name="WebP", method=2),
    "avif": _write_avif,
}
"""The function that encodes each format, by the name of the format in `OUTPUT_FORMATS`."""
